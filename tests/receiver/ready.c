/* Preloaded into the program: a disk that fails for a while. FAIL_WHILE is the path of a file; while it is there, its
 * content says what fails for regular files:
 *
 *   sync    fsync and fdatasync: EIO
 *   hang    fsync and fdatasync: they end when the file is gone
 *   write   everything that writes or grows a file: ENOSPC */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static bool fails(int fd, const char *what) {
  struct stat status;
  const char *path = getenv("FAIL_WHILE");
  if (!path || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  int before = errno, file = open(path, O_RDONLY | O_CLOEXEC);
  char said[16] = "";
  if (file >= 0) {
    ssize_t length = read(file, said, sizeof said - 1);
    said[length > 0 ? length : 0] = 0;
    close(file);
  }
  errno = before;
  return strcmp(said, what) == 0;
}

static bool no_room(int fd) {
  if (!fails(fd, "write")) return false;
  errno = ENOSPC;
  return true;
}

static bool no_sync(int fd) {
  while (fails(fd, "hang")) usleep(10000);
  if (!fails(fd, "sync")) return false;
  errno = EIO;
  return true;
}

static bool grows(int fd, off64_t length) {
  struct stat status;
  return fstat(fd, &status) == 0 && length > status.st_size;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return no_sync(fd) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return no_sync(fd) ? -1 : REAL(fdatasync)(fd); }

ssize_t write(int fd, const void *bytes, size_t count) { return no_room(fd) ? -1 : REAL(write)(fd, bytes, count); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return no_room(fd) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  return no_room(fd) ? -1 : REAL(pwrite)(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  return no_room(fd) ? -1 : REAL(pwrite64)(fd, bytes, count, at);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
  return no_room(fd) ? -1 : REAL(fallocate)(fd, mode, at, length);
}

/* These two say the error itself. */
int posix_fallocate(int fd, off_t at, off_t length) {
  return no_room(fd) ? ENOSPC : REAL(posix_fallocate)(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length) {
  return no_room(fd) ? ENOSPC : REAL(posix_fallocate64)(fd, at, length);
}

int ftruncate(int fd, off_t length) {
  return grows(fd, length) && no_room(fd) ? -1 : REAL(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  return grows(fd, length) && no_room(fd) ? -1 : REAL(ftruncate64)(fd, length);
}
