/* Preloaded into the program: ends it with SIGKILL right before and right after each time it makes something durable.
 * DIE_AT=N is the Nth of these moments. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void moment(void) {
  static atomic_long moments;
  const char *at = getenv("DIE_AT");
  if (at && atomic_fetch_add(&moments, 1) + 1 == atol(at)) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

int fsync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  moment();
  int result = real(fd);
  moment();
  return result;
}

int fdatasync(int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  moment();
  int result = real(fd);
  moment();
  return result;
}
