/* Client requests of valgrind's callgrind, as functions: they are inline assembly, which Python
   cannot say. Without valgrind around them they do nothing. */
#include <valgrind/callgrind.h>

void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void toggle(void) { CALLGRIND_TOGGLE_COLLECT; }
void end(void) { CALLGRIND_STOP_INSTRUMENTATION; }
