/* Preloaded into the program: ends it with SIGKILL right before each write to a file, and right before and right after
 * each time it makes one durable. What was written survives SIGKILL even if it is not durable yet, so the moment before
 * the write is the one that loses it. DIE_AT=N is the Nth of these moments. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void moment(void) {
  static atomic_long moments;
  const char *at = getenv("DIE_AT");
  if (at && atomic_fetch_add(&moments, 1) + 1 == atol(at)) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

ssize_t write(int fd, const void *bytes, size_t count) {
  ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) moment();
  return real(fd, bytes, count);
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
