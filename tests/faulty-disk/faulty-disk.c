/* A disk that fails when told to and that remembers what it has promised: a library to be preloaded into a process that runs
 * LevelDB. It stands before the C functions through which LevelDB writes (env_posix.cc: stdio streams, fdatasync, rename, unlink).
 *
 *   FAULTY_DISK_DIRECTORY  the one directory that it looks at; files named LOG, LOG.old and LOCK are left alone
 *   FAULTY_DISK_JOURNAL    a file: one line for each thing that happened, in order, written when it has happened
 *   FAULTY_DISK_GRAVES     a directory: what is deleted or replaced gets a second name here, since a deletion may be undone
 *   FAULTY_DISK_CONTROL    a file of 64 bytes: what is to fail, see below
 *
 * Journal:
 *   C inode name           a file was made, or emptied
 *   W inode bytes          so many bytes of it have been given to the kernel
 *   S inode bytes          so many of its bytes are on disk
 *   F inode bytes          a sync failed: what was not on disk of so many bytes is lost, as with Linux
 *   D offset               the names that the directory had at that place of the journal are on disk
 *   R from to              renamed
 *   U name                 deleted
 *
 * Control: `GENERATION OPERATION AFTER ERRNO TIMES`. Once the generation changes, the first AFTER operations go well and the next
 * TIMES fail. OPERATION is sync, dirsync, write, open, rename, or space (write, open and rename). A write that fails writes half.
 * With the ERRNO 0 a sync or dirsync goes well, but takes a fifth of a second.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A macro where there is optimisation. */
#undef fwrite_unlocked

#define TRACKED_MAX 65536

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *directory, *graves;
static size_t directory_length;
static int journal = -1, control = -1;
static ino_t tracked[TRACKED_MAX];
static size_t tracked_count;
static long generation = -1, seen, failed;
static unsigned long next_grave;

static FILE *(*real_fopen64)(const char *, const char *);
static size_t (*real_fwrite_unlocked)(const void *, size_t, size_t, FILE *);
static int (*real_fflush_unlocked)(FILE *);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
  real_fopen64 = dlsym(RTLD_NEXT, "fopen64");
  real_fwrite_unlocked = dlsym(RTLD_NEXT, "fwrite_unlocked");
  real_fflush_unlocked = dlsym(RTLD_NEXT, "fflush_unlocked");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  directory = getenv("FAULTY_DISK_DIRECTORY");
  graves = getenv("FAULTY_DISK_GRAVES");
  const char *journal_path = getenv("FAULTY_DISK_JOURNAL"), *control_path = getenv("FAULTY_DISK_CONTROL");
  if (!directory || !graves || !journal_path || !control_path) {
    directory = NULL;
    return;
  }
  directory_length = strlen(directory);
  journal = open(journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  control = open(control_path, O_RDONLY | O_CLOEXEC);
  if (journal < 0 || control < 0) {
    fprintf(stderr, "faulty disk: cannot open its journal or control file\n");
    abort();
  }
}

/* The name inside the directory, or NULL for what is not of interest. */
static const char *name_of(const char *path) {
  if (!directory || strncmp(path, directory, directory_length) != 0 || path[directory_length] != '/') return NULL;
  const char *name = path + directory_length + 1;
  if (strchr(name, '/') || strcmp(name, "LOG") == 0 || strcmp(name, "LOG.old") == 0 || strcmp(name, "LOCK") == 0) return NULL;
  return name;
}

static void note(const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= sizeof line || write(journal, line, (size_t)length) != length) {
    fprintf(stderr, "faulty disk: cannot write its journal\n");
    abort();
  }
}

static int is_tracked(ino_t inode) {
  for (size_t at = tracked_count; at > 0; at--)
    if (tracked[at - 1] == inode) return 1;
  return 0;
}

/* Whether this operation is to fail; then errno is set. Call it with the mutex held. */
static int is_to_fail(const char *operation) {
  char text[65] = {0}, wanted[16] = {0};
  long now, after, code, times;
  if (pread(control, text, 64, 0) <= 0) return 0;
  if (sscanf(text, "%ld %15s %ld %ld %ld", &now, wanted, &after, &code, &times) != 5) return 0;
  if (now != generation) {
    generation = now;
    seen = failed = 0;
  }
  int is_of_space = strcmp(operation, "write") == 0 || strcmp(operation, "open") == 0 || strcmp(operation, "rename") == 0;
  if (strcmp(wanted, operation) != 0 && !(strcmp(wanted, "space") == 0 && is_of_space)) return 0;
  if (seen++ < after || failed >= times) return 0;
  failed++;
  errno = (int)code;
  return 1;
}

/* A second name for what is about to lose its own. */
static void bury(const char *path) {
  char grave[512];
  snprintf(grave, sizeof grave, "%s/%lu-%d", graves, next_grave++, (int)getpid());
  if (link(path, grave) != 0 && errno != ENOENT) {
    fprintf(stderr, "faulty disk: cannot keep %s\n", path);
    abort();
  }
}

FILE *fopen64(const char *path, const char *mode) {
  const char *name = mode[0] == 'r' ? NULL : name_of(path);
  if (!name) return real_fopen64(path, mode);
  pthread_mutex_lock(&mutex);
  FILE *file = NULL;
  if (!is_to_fail("open")) {
    file = real_fopen64(path, mode);
    struct stat status;
    if (file && fstat(fileno(file), &status) == 0) {
      if (tracked_count == TRACKED_MAX) abort();
      tracked[tracked_count++] = status.st_ino;
      note("C %lu %s\n", (unsigned long)status.st_ino, name);
    }
  }
  int code = errno;
  pthread_mutex_unlock(&mutex);
  errno = code;
  return file;
}

static int is_ours(FILE *file) {
  struct stat status;
  return directory && fstat(fileno(file), &status) == 0 && is_tracked(status.st_ino);
}

size_t fwrite_unlocked(const void *data, size_t size, size_t count, FILE *file) {
  pthread_mutex_lock(&mutex);
  int fails = is_ours(file) && is_to_fail("write");
  int code = errno;
  pthread_mutex_unlock(&mutex);
  if (!fails) return real_fwrite_unlocked(data, size, count, file);
  size_t half = real_fwrite_unlocked(data, size, count / 2, file);
  real_fflush_unlocked(file);
  errno = code;
  return half;
}

static int flushed(FILE *file) {
  int is_news = __fpending(file) > 0, result = real_fflush_unlocked(file), code = errno;
  struct stat status;
  if (result == 0 && is_news && is_ours(file) && fstat(fileno(file), &status) == 0) {
    pthread_mutex_lock(&mutex);
    note("W %lu %ld\n", (unsigned long)status.st_ino, (long)status.st_size);
    pthread_mutex_unlock(&mutex);
  }
  errno = code;
  return result;
}

int fflush_unlocked(FILE *file) {
  if (!file) return real_fflush_unlocked(file);
  pthread_mutex_lock(&mutex);
  int fails = __fpending(file) > 0 && is_ours(file) && is_to_fail("write");
  int code = errno;
  pthread_mutex_unlock(&mutex);
  if (!fails) return flushed(file);
  if (write(fileno(file), file->_IO_write_base, __fpending(file) / 2) < 0) abort();
  __fpurge(file);
  errno = code;
  return EOF;
}

static int synced(int descriptor, int (*real)(int)) {
  struct stat status, own;
  if (!directory || fstat(descriptor, &status) != 0) return real(descriptor);
  pthread_mutex_lock(&mutex);
  int is_directory = S_ISDIR(status.st_mode) && stat(directory, &own) == 0 && own.st_ino == status.st_ino;
  int is_file = S_ISREG(status.st_mode) && is_tracked(status.st_ino);
  pthread_mutex_unlock(&mutex);
  if (!is_directory && !is_file) return real(descriptor);
  pthread_mutex_lock(&mutex);
  errno = 0;
  int fails = is_to_fail(is_directory ? "dirsync" : "sync");
  int code = errno, is_slow = fails && code == 0;
  if (is_slow) fails = 0;
  if (fails && is_file) note("F %lu %ld\n", (unsigned long)status.st_ino, (long)status.st_size);
  pthread_mutex_unlock(&mutex);
  if (fails) {
    errno = code;
    return -1;
  }
  /* What comes to be while it is under way is not covered: so the journal is asked where it stands first. */
  off_t before = lseek(journal, 0, SEEK_END);
  if (is_slow) usleep(200000);
  int result = real(descriptor);
  code = errno;
  pthread_mutex_lock(&mutex);
  if (result == 0 && is_directory) note("D %ld\n", (long)before);
  else if (result == 0) note("S %lu %ld\n", (unsigned long)status.st_ino, (long)status.st_size);
  pthread_mutex_unlock(&mutex);
  errno = code;
  return result;
}

int fdatasync(int descriptor) { return synced(descriptor, real_fdatasync); }

int fsync(int descriptor) { return synced(descriptor, real_fsync); }

int rename(const char *from, const char *to) {
  const char *old = name_of(from), *new = name_of(to);
  if (!old || !new) return real_rename(from, to);
  pthread_mutex_lock(&mutex);
  int result = -1;
  if (!is_to_fail("rename")) {
    bury(to);
    result = real_rename(from, to);
    if (result == 0) note("R %s %s\n", old, new);
  }
  int code = errno;
  pthread_mutex_unlock(&mutex);
  errno = code;
  return result;
}

int unlink(const char *path) {
  const char *name = name_of(path);
  if (!name) return real_unlink(path);
  pthread_mutex_lock(&mutex);
  bury(path);
  int result = real_unlink(path), code = errno;
  if (result == 0) note("U %s\n", name);
  pthread_mutex_unlock(&mutex);
  errno = code;
  return result;
}
