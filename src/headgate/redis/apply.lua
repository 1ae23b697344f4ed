-- Applies records of one partition of the history: entries, newest state and position at once, or
-- nothing. What it is given is in `batch.py`, what the keys are in `keys.py`.
--
-- KEYS: position, changes, outputs, past, marks, instances, then the hashes of the instances.
-- ARGV: expected position, new position, keep_us, keep_entries, past_us, then the records.
-- Returns the position that holds now: another than the new one says that somebody else was there.

local position, changes, outputs, past, marks, instances = unpack(KEYS, 1, 6)
local FIXED_KEYS, FIXED_ARGUMENTS = 6, 5
-- Lua hands a function some thousand arguments at most.
local MOST_FIELDS = 4000
local address_from = #position - #'position' + #'state:' + 1

-- A script that fails keeps what it has written: what may fail comes before the first write, here and
-- with each turn.
for index, expected in ipairs({ 'hash', 'stream', 'stream', 'stream', 'zset', 'zset' }) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= 'none' and found ~= expected then
    return redis.error_reply('WRONGTYPE ' .. KEYS[index] .. ' is a ' .. found)
  end
end

local stands = redis.call('HMGET', position, 'next_offset', 'newest_us', 'closed_us')
local next_offset = tonumber(stands[1] or '0')
if next_offset ~= tonumber(ARGV[1]) then
  return next_offset
end
local newest_us, closed_us = tonumber(stands[2] or '0'), tonumber(stands[3] or '0')
local keep_us, keep_entries, past_us = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local at = FIXED_ARGUMENTS
local function take()
  at = at + 1
  return ARGV[at]
end

-- One entry, or several where there are too many fields for one: all but the last say `more`.
local function add(stream, offset, head, fields)
  local part, from = 1, 1
  repeat
    local entry = {}
    for _, each in ipairs(head) do
      entry[#entry + 1] = each
    end
    local to = math.min(from + MOST_FIELDS - 1, #fields)
    for index = from, to do
      entry[#entry + 1] = fields[index]
    end
    if to < #fields then
      entry[#entry + 1] = 'more'
      entry[#entry + 1] = '1'
    end
    redis.call('XADD', stream, offset .. '-' .. part, unpack(entry))
    part, from = part + 1, to + 1
  until from > #fields
end

-- The hash of one instance, and what its fields had been.
local function instance(key)
  local been, noted = {}, {}
  local self = { been = been }
  local function note(field)
    if past_us > 0 and not noted[field] then
      noted[field] = true
      local value = redis.call('HGET', key, field)
      been[#been + 1] = (value and '+' or '-') .. field
      been[#been + 1] = value or ''
    end
  end
  -- Many at once: a list may have a million items.
  function self.remove_all(fields)
    for from = 1, #fields, MOST_FIELDS do
      local to = math.min(from + MOST_FIELDS - 1, #fields)
      if past_us > 0 then
        local values = redis.call('HMGET', key, unpack(fields, from, to))
        for index = from, to do
          local field, value = fields[index], values[index - from + 1]
          if not noted[field] then
            noted[field] = true
            been[#been + 1] = (value and '+' or '-') .. field
            been[#been + 1] = value or ''
          end
        end
      end
      redis.call('HDEL', key, unpack(fields, from, to))
    end
  end
  function self.put(field, value)
    note(field)
    redis.call('HSET', key, field, value)
  end
  function self.remove(field)
    note(field)
    redis.call('HDEL', key, field)
  end
  function self.get(field)
    return redis.call('HGET', key, field)
  end
  function self.delete(name)
    local fields = { '=' .. name }
    local length = tonumber(self.get('#' .. name) or '0')
    for index = 0, length - 1 do
      fields[#fields + 1] = '@' .. name .. '/' .. string.format('%d', index)
    end
    if length > 0 then
      fields[#fields + 1] = '#' .. name
    end
    self.remove_all(fields)
  end
  function self.forget()
    local fields = {}
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if string.find(field, '^[=#@]') then
        fields[#fields + 1] = field
      end
    end
    self.remove_all(fields)
  end
  return self
end

local function change(key, kind, name, value)
  if kind == 'set' then
    key.put('=' .. name, value)
  elseif kind == 'append' then
    local length = tonumber(key.get('#' .. name) or '0')
    key.put('@' .. name .. '/' .. string.format('%d', length), value)
    key.put('#' .. name, string.format('%d', length + 1))
  elseif kind == 'delete' then
    key.delete(name)
  elseif kind == 'forget' then
    key.forget()
  elseif kind == 'parked' then
    key.put('parked', value)
  elseif kind == 'goes_on' then
    key.remove('parked')
  end
end

local function turn()
  local name = KEYS[FIXED_KEYS + tonumber(take())]
  local offset, number, at_us, revision = take(), take(), take(), take()
  local heads, kinds, outs = tonumber(take()), tonumber(take()), tonumber(take())
  local address = string.sub(name, address_from)
  local known = tonumber(redis.call('HGET', name, 'turn') or '0')
  newest_us = math.max(newest_us, tonumber(at_us))
  if tonumber(number) <= known then
    -- A job that was restored from an older savepoint writes again what it had written.
    at = at + 2 * heads + 3 * kinds + outs
    return
  end
  local head = { 'address', address, 'turn', number, 'at_us', at_us, 'revision', revision }
  for _ = 1, 2 * heads do
    head[#head + 1] = take()
  end
  local changed, fields = {}, {}
  for count = 0, kinds - 1 do
    local kind, what, value = take(), take(), take()
    changed[#changed + 1] = { kind, what, value }
    -- Numbered: clients make a map of an entry, and a turn may append to a list twice.
    fields[#fields + 1] = string.format('%d', count) .. ':' .. kind .. ':' .. what
    fields[#fields + 1] = value
  end
  add(changes, offset, head, fields)
  for index = 1, outs do
    redis.call('XADD', outputs, offset .. '-' .. string.format('%d', index),
      'address', address, 'turn', number, 'event', take())
  end
  local key = instance(name)
  key.put('turn', number)
  key.put('at_us', at_us)
  key.put('revision', revision)
  if tonumber(number) ~= known + 1 then
    -- The topic has lost what came before.
    key.put('incomplete', '1')
  end
  if known == 0 then
    redis.call('ZADD', instances, 0, address)
  end
  for _, each in ipairs(changed) do
    change(key, each[1], each[2], each[3])
  end
  if past_us > 0 then
    add(past, offset, { 'address', address, 'turn', number, 'at_us', at_us }, key.been)
  end
end

-- Trims by number, and by time: `marks` has the offset of each closed moment, and how new the turns
-- before it are.
local function trim()
  local function first(stream)
    local entry = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    return entry and tonumber(string.match(entry[1], '^%d+'))
  end
  for _, stream in ipairs({ changes, outputs }) do
    redis.call('XTRIM', stream, 'MAXLEN', '~', keep_entries)
  end
  local function before(age_us)
    -- The newest mark before which all turns are so old, or none.
    local low, high = 0, redis.call('ZCARD', marks) - 1
    local found
    while low <= high do
      local middle = math.floor((low + high) / 2)
      local mark = redis.call('ZRANGE', marks, middle, middle, 'WITHSCORES')
      if tonumber(string.match(mark[1], '%d+$')) <= closed_us - age_us then
        found, low = mark[2], middle + 1
      else
        high = middle - 1
      end
    end
    return found
  end
  local old = before(keep_us)
  if old then
    for _, stream in ipairs({ changes, outputs }) do
      redis.call('XTRIM', stream, 'MINID', old .. '-0')
    end
  end
  local passed = before(past_us)
  if passed then
    redis.call('XTRIM', past, 'MINID', passed .. '-0')
  end
  redis.call('XTRIM', past, 'MAXLEN', '~', keep_entries)
  -- Marks before all that is left are of no use.
  local bound = math.min(first(past) or math.huge, first(changes) or math.huge)
  if bound == math.huge then
    bound = tonumber(passed or '0')
  end
  redis.call('ZREMRANGEBYSCORE', marks, '-inf', '(' .. string.format('%d', bound))
end

local has_closed = false
while at < #ARGV do
  if take() == 'closed' then
    local offset, until_us = take(), take()
    if tonumber(until_us) > closed_us then
      closed_us = tonumber(until_us)
      redis.call('ZADD', marks, offset, until_us .. ':' .. string.format('%d', newest_us))
      has_closed = true
    end
  else
    turn()
  end
end
redis.call('HSET', position, 'next_offset', ARGV[2], 'newest_us', string.format('%d', newest_us),
  'closed_us', string.format('%d', closed_us))
if has_closed then
  trim()
end
return tonumber(ARGV[2])
