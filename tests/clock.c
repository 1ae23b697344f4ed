/* A wall clock that a test can put, by LD_PRELOAD: ahead of the true one by as many seconds as the file that
   HEADGATE_TEST_CLOCK names says (8 bytes, in memory's order, read at each look). The clock that waits are
   measured with is left alone, as it is when a machine's time is corrected, but for those of C11. libfaketime does more, and a broker
   under it needs seconds for what takes it milliseconds. No headers: a compiler alone can build it. */
typedef struct { long seconds, rest; } Time;

extern void *dlsym(void *, const char *), *dlvsym(void *, const char *, const char *);
extern void *mmap(void *, unsigned long, int, int, int, long);
extern int open(const char *, int, ...);
extern char *getenv(const char *);

#define NEXT ((void *)-1L)
/* Seconds of this size are since 1970; those since the machine's start are less. */
#define SINCE_1970 1000000000L

static volatile long none, *ahead = &none;
static int (*real_clock)(int, Time *), (*real_day)(Time *, void *);
static int (*real_wait)(void *, void *, const Time *), (*real_c11_wait)(void *, void *, const Time *);

static void find(void) {
  real_clock = dlsym(NEXT, "clock_gettime");
  real_day = dlsym(NEXT, "gettimeofday");
  /* Of two versions the old one is found without its name, where there are two. */
  real_wait = dlvsym(NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!real_wait) real_wait = dlsym(NEXT, "pthread_cond_timedwait");
  real_c11_wait = dlsym(NEXT, "cnd_timedwait");
}

__attribute__((constructor)) static void begin(void) {
  char *name = getenv("HEADGATE_TEST_CLOCK");
  int file = name ? open(name, 0) : -1;
  if (!real_clock) find();
  if (file < 0) return;
  void *seen = mmap(0, 8, 1 /* PROT_READ */, 1 /* MAP_SHARED */, file, 0);
  if (seen != (void *)-1L) ahead = seen;
}

int clock_gettime(int clock, Time *now) {
  if (!real_clock) find();
  int done = real_clock(clock, now);
  if (clock == 0 /* CLOCK_REALTIME */ || clock == 5 /* CLOCK_REALTIME_COARSE */) now->seconds += *ahead;
  return done;
}

int gettimeofday(Time *now, void *zone) {
  if (!real_day) find();
  int done = real_day(now, zone);
  now->seconds += *ahead;
  return done;
}

long time(long *now) {
  Time seen;
  clock_gettime(0, &seen);
  if (now) *now = seen.seconds;
  return seen.seconds;
}

int timespec_get(Time *now, int base) {
  clock_gettime(0, now);
  return base;
}

int pthread_cond_timedwait(void *condition, void *mutex, const Time *until) {
  if (!real_wait) find();
  Time true_until = *until;
  if (until->seconds > SINCE_1970) true_until.seconds -= *ahead;
  return real_wait(condition, mutex, &true_until);
}

#define TIMED_OUT 4 /* glibc's thrd_timedout */
#define SLICE 50000000L

/* C11's, which librdkafka waits with, until a time of the wall clock. When that is put the kernel has such waits
   end sooner or later, and so it is here: they are made of short ones, with a look at the clock after each. */
int cnd_timedwait(void *condition, void *mutex, const Time *until) {
  if (!real_c11_wait) find();
  for (;;) {
    Time now, slice;
    clock_gettime(0, &now);
    long left = until->seconds - now.seconds > 1 ? SLICE
      : (until->seconds - now.seconds) * 1000000000L + until->rest - now.rest;
    if (left <= 0) return TIMED_OUT;
    real_clock(0, &slice);
    slice.rest += left < SLICE ? left : SLICE;
    if (slice.rest >= 1000000000L) slice.seconds++, slice.rest -= 1000000000L;
    int done = real_c11_wait(condition, mutex, &slice);
    if (done != TIMED_OUT) return done;
  }
}
