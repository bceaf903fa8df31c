/* Preloaded into the program: keeps an image of what a disk would have of a directory after the power went.
 *
 * POWER_ROOT is the directory, POWER_IMAGE the image. A file's content gets there when the file is synced, and the names
 * in a directory when the directory is; nothing else does. An image has:
 *
 *   files/KEY    the content of a file
 *   names/KEY    the names in a directory, a line each: `f` or `d`, the key, the name
 *
 * A KEY is an inode and its time of birth, since inodes are used again. POWER_IGNORE is a pattern of names whose syncs say
 * that all is well and do nothing; names of directories end in a slash, the root is "./".
 *
 * The power goes, which ends the program, at the POWER_AT-th moment: right before a write or a sync, or right after a
 * sync, of something in that directory. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t image = PTHREAD_MUTEX_INITIALIZER;

static void give_up(const char *what) {
  fprintf(stderr, "power.c: %s: %m\n", what);
  abort();
}

static void moment(void) {
  static atomic_long moments;
  const char *at = getenv("POWER_AT");
  if (at && atomic_fetch_add(&moments, 1) + 1 == atol(at)) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
}

/* The name that POWER_IGNORE is about, or null if `fd` is nothing in the directory. `path` has room for it. */
static const char *name_of(int fd, char path[PATH_MAX + 2]) {
  const char *root = getenv("POWER_ROOT");
  struct stat status;
  if (!root || fstat(fd, &status) != 0 || status.st_nlink == 0) return NULL;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return NULL;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return NULL;
  path[length] = 0;
  size_t start = strlen(root);
  if (strncmp(path, root, start) != 0 || (path[start] != '/' && path[start] != 0)) return NULL;
  if (path[start] == 0) return "./";
  if (S_ISDIR(status.st_mode)) strcat(path, "/");
  char *name = path + strlen(path) - 1;
  while (name[-1] != '/') name--;
  return name;
}

/* Whether there is such a file at all: another thread may just have removed it. */
static bool find_key(int at, const char *name, int flags, char *key, size_t room) {
  struct statx status;
  if (statx(at, name, flags, STATX_INO | STATX_BTIME, &status) != 0) {
    if (errno != ENOENT) give_up(name);
    return false;
  }
  if (!(status.stx_mask & STATX_BTIME)) give_up("the file system tells no times of birth");
  snprintf(key, room, "%llu-%lld-%09u", (unsigned long long)status.stx_ino, (long long)status.stx_btime.tv_sec,
           status.stx_btime.tv_nsec);
  return true;
}

static int create(const char *kind, const char *key, char *new, char *path) {
  const char *directory = getenv("POWER_IMAGE");
  if (!directory) give_up("there is no POWER_IMAGE");
  snprintf(path, PATH_MAX, "%s/%s/%s", directory, kind, key);
  snprintf(new, PATH_MAX, "%s/%s.new", directory, kind);
  int file = open(new, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) give_up(new);
  return file;
}

static void keep_content(int fd, const char *key) {
  char new[PATH_MAX], path[PATH_MAX], link[64];
  /* As a file of its own: the program's may be open for writing only. */
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int from = open(link, O_RDONLY | O_CLOEXEC), to = create("files", key, new, path);
  if (from < 0) give_up("a synced file cannot be read");
  ssize_t copied;
  while ((copied = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0) {
  }
  struct stat status;
  if (copied < 0 || fstat(from, &status) != 0 || fchmod(to, status.st_mode & 07777) != 0) give_up(path);
  close(from);
  close(to);
  if (rename(new, path) != 0) give_up(path);
}

static void keep_names(int fd, const char *key) {
  char new[PATH_MAX], path[PATH_MAX], named[64];
  FILE *names = fdopen(create("names", key, new, path), "w");
  int at = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = at < 0 ? NULL : fdopendir(at);
  if (!names || !directory) give_up(path);
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (entry->d_type != DT_REG && entry->d_type != DT_DIR) give_up("neither a file nor a directory");
    if (!find_key(dirfd(directory), entry->d_name, AT_SYMLINK_NOFOLLOW, named, sizeof named)) continue;
    fprintf(names, "%c %s %s\n", entry->d_type == DT_DIR ? 'd' : 'f', named, entry->d_name);
  }
  closedir(directory);
  if (fclose(names) != 0 || rename(new, path) != 0) give_up(path);
}

static int sync_to_image(int fd, int (*real)(int)) {
  char path[PATH_MAX + 2], key[64];
  const char *name = name_of(fd, path);
  if (!name) return real(fd);
  moment();
  const char *ignored = getenv("POWER_IGNORE");
  if (!ignored || fnmatch(ignored, name, 0) != 0) {
    pthread_mutex_lock(&image);
    if (!find_key(fd, "", AT_EMPTY_PATH, key, sizeof key)) give_up(name);
    if (name[strlen(name) - 1] == '/') keep_names(fd, key);
    else keep_content(fd, key);
    pthread_mutex_unlock(&image);
  }
  moment();
  return 0;
}

int fsync(int fd) { return sync_to_image(fd, (int (*)(int))dlsym(RTLD_NEXT, "fsync")); }

int fdatasync(int fd) { return sync_to_image(fd, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync")); }

static void moment_before_writing(int fd) {
  char path[PATH_MAX + 2];
  if (getenv("POWER_AT") && name_of(fd, path)) moment();
}

ssize_t write(int fd, const void *bytes, size_t count) {
  ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  moment_before_writing(fd);
  return real(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  ssize_t (*real)(int, const void *, size_t, off64_t) =
      (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  moment_before_writing(fd);
  return real(fd, bytes, count, offset);
}
