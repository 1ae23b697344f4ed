// Tally: an agent service in Node, made from the .proto alone, which is read at the start.
//
// Each instance adds up the amounts it is told and keeps a list of them. The file is the whole of
// what an agent service owes Headgate: Describe, Turn, Turns, health and reflection.
"use strict";

const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");
const { HealthImplementation } = require("grpc-health-check");

const AGENT_TYPE = "tally";
const REVISION = "1";
const SERVICE = "headgate.v1.AgentService";
// State, log windows and batches of both travel in one message; gRPC's default is 4 MiB.
const MESSAGE_BYTES = 64 << 20;

const contract = loader.loadSync("headgate/v1/agent.proto", {
  includeDirs: [path.join(__dirname, "..", "..", "proto")],
  keepCase: true, // names as the .proto has them
  enums: String,
  longs: Number,
});

function describe(call, callback) {
  callback(null, {
    contract_version: 1,
    agents: [
      {
        type: AGENT_TYPE,
        revision: REVISION,
        event_types: ["tally.add"],
        summary: "Adds up amounts",
      },
    ],
    serves_turns_stream: true,
    sdk: "none (Node)",
  });
}

function turn(call, callback) {
  callback(null, take(call.request));
}

// Answers each batch as soon as it has been read: these turns only compute. An agent that waits
// for something would write each reply when it is done; the stream goes on reading meanwhile.
function turns(call) {
  call.on("data", (batch) => call.write({ replies: batch.requests.map(take) }));
  call.on("end", () => call.end());
  call.on("error", () => {}); // the caller is gone: it asks again elsewhere, or later
}

// Runs one turn. What fails is data in the reply; the events before it still count.
function take(request) {
  const reply = {
    request_id: request.request_id,
    base: request.base,
    revision: REVISION,
    taken_event_ids: [],
    mutations: [],
    outputs: [],
  };
  if (request.agent_type !== AGENT_TYPE) {
    reply.failed = { code: "FAILURE_CODE_UNKNOWN_AGENT", message: `this hosts ${AGENT_TYPE}` };
    return reply;
  }
  if (request.revision_pin && request.revision_pin !== REVISION) {
    reply.failed = {
      code: "FAILURE_CODE_UNKNOWN_AGENT",
      advice: "ADVICE_RETRY",
      message: `this is revision ${REVISION}`,
    };
    return reply;
  }
  const stored = request.state?.values?.total;
  let total = 0;
  if (stored) {
    total = parsed(stored);
    if (!Number.isSafeInteger(total)) {
      // It stays so until someone deploys or resets.
      reply.failed = {
        code: "FAILURE_CODE_AGENT_ERROR",
        advice: "ADVICE_PARK",
        event_id: request.events[0].id,
        message: "stored total is no number",
      };
      return reply;
    }
  }
  for (const [cause, event] of request.events.entries()) {
    const amount = parsed(event.data)?.amount;
    if (!Number.isSafeInteger(amount)) {
      reply.failed = {
        code: "FAILURE_CODE_TERMINAL",
        advice: "ADVICE_DEAD_LETTER",
        event_id: event.id,
        message: "no amount",
      };
      break;
    }
    total += amount;
    reply.taken_event_ids.push(event.id);
    reply.mutations.push({ name: "amounts", append: Buffer.from(`${amount}`) });
    reply.outputs.push({ type: "tally.total", data: Buffer.from(JSON.stringify({ total })), cause });
  }
  if (!reply.failed) reply.completed = {};
  if (reply.taken_event_ids.length > 0) {
    reply.mutations.push({ name: "total", set: Buffer.from(`${total}`) });
  }
  return reply;
}

function parsed(bytes) {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function main() {
  // 0 picks a free one
  const { values } = parseArgs({ options: { port: { type: "string", default: "7075" } } });
  const server = new grpc.Server({
    "grpc.max_receive_message_length": MESSAGE_BYTES,
    "grpc.max_send_message_length": MESSAGE_BYTES,
  });
  server.addService(contract[SERVICE], { Describe: describe, Turn: turn, Turns: turns });
  const health = new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" });
  health.addToServer(server);
  new ReflectionService(contract).addToServer(server);
  const address = `127.0.0.1:${values.port}`;
  server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) {
      console.error(error.message);
      process.exit(1);
    }
    console.log(`serving ${AGENT_TYPE} on 127.0.0.1:${port}`);
  });
  for (const name of ["SIGTERM", "SIGINT"]) {
    process.on(name, () => {
      health.setStatus(SERVICE, "NOT_SERVING");
      // Headgate holds its streams open for good: to wait for their end would be to wait for ever.
      // It takes what is unanswered as UNAVAILABLE and asks again.
      server.forceShutdown();
    });
  }
}

main();
