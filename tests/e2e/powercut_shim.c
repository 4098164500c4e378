/* Records what a process does to its SQLite files: LD_PRELOAD for powercut.py.
 *
 * One record per write, truncation, sync, creation and removal of a file in $TRACED_DIRECTORY whose
 * name begins with $TRACED_NAME, appended to $TRACE in the order in which they happened. The -shm
 * file is left out: it is memory that SQLite makes anew after a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES 4096
#define NAME 32

struct record {
    char op;
    char name[NAME - 1];
    uint64_t offset;
    uint64_t length;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static char names[FILES][NAME];
static char directory[PATH_MAX], prefix[NAME];
static int trace = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("TRACED_DIRECTORY"), *what = getenv("TRACED_NAME");
    const char *file = getenv("TRACE");
    if (!where || !what || !file) return;
    strncpy(directory, where, sizeof directory - 1);
    strncpy(prefix, what, sizeof prefix - 1);
    trace = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* Give the name under which a path is traced, or NULL. */
static const char *traced(const char *path) {
    size_t length = strlen(directory);
    if (trace < 0 || strncmp(path, directory, length)) return NULL;
    if (!path[length] || !strcmp(path + length, "/")) return ".";
    const char *name = path + length + 1;
    size_t end = strlen(name);
    if (path[length] != '/' || strncmp(name, prefix, strlen(prefix)) || end >= NAME - 1) return NULL;
    return end > 4 && !strcmp(name + end - 4, "-shm") ? NULL : name;
}

static const char *open_name(int fd) {
    return fd >= 0 && fd < FILES && names[fd][0] ? names[fd] : NULL;
}

static void note(char op, const char *name, uint64_t offset, const void *data, uint64_t length) {
    uint64_t size = sizeof(struct record) + (data ? length : 0);
    char *whole = calloc(1, size);
    struct record *head = (struct record *)whole;
    head->op = op;
    strncpy(head->name, name, sizeof head->name - 1);
    head->offset = offset;
    head->length = length;
    if (data) memcpy(whole + sizeof *head, data, length);
    if (syscall(SYS_write, trace, whole, size) != (long)size) abort();
    free(whole);
}

static int opened(const char *path, int flags, mode_t mode) {
    const char *name = traced(path);
    if (!name) return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    struct stat before;
    pthread_mutex_lock(&order);
    int is_new = (flags & O_CREAT) && stat(path, &before) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < FILES) {
        strncpy(names[fd], name, NAME - 1);
        if (is_new) note('C', name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&order);
    return fd;
}

#define OPEN(function)                                   \
    int function(const char *path, int flags, ...) {     \
        va_list more;                                    \
        va_start(more, flags);                           \
        mode_t mode = va_arg(more, mode_t);              \
        va_end(more);                                    \
        return opened(path, flags, mode);                \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < FILES) names[fd][0] = 0;
    return REAL(close)(fd);
}

#define PWRITE(function)                                                         \
    ssize_t function(int fd, const void *data, size_t length, off_t offset) {    \
        const char *name = open_name(fd);                                        \
        if (!name) return REAL(function)(fd, data, length, offset);              \
        pthread_mutex_lock(&order);                                              \
        ssize_t done = REAL(function)(fd, data, length, offset);                 \
        if (done > 0) note('W', name, (uint64_t)offset, data, (uint64_t)done);   \
        pthread_mutex_unlock(&order);                                            \
        return done;                                                             \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *data, size_t length) {
    const char *name = open_name(fd);
    if (!name) return REAL(write)(fd, data, length);
    pthread_mutex_lock(&order);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, data, length);
    if (done > 0) note('W', name, (uint64_t)offset, data, (uint64_t)done);
    pthread_mutex_unlock(&order);
    return done;
}

#define SYNC(function)                            \
    int function(int fd) {                        \
        const char *name = open_name(fd);         \
        if (!name) return REAL(function)(fd);     \
        pthread_mutex_lock(&order);               \
        int failed = REAL(function)(fd);          \
        if (!failed) note('S', name, 0, NULL, 0); \
        pthread_mutex_unlock(&order);             \
        return failed;                            \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(function)                                          \
    int function(int fd, off_t length) {                            \
        const char *name = open_name(fd);                           \
        if (!name) return REAL(function)(fd, length);               \
        pthread_mutex_lock(&order);                                 \
        int failed = REAL(function)(fd, length);                    \
        if (!failed) note('T', name, (uint64_t)length, NULL, 0);    \
        pthread_mutex_unlock(&order);                               \
        return failed;                                              \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int unlink(const char *path) {
    const char *name = traced(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&order);
    int failed = REAL(unlink)(path);
    if (!failed) note('U', name, 0, NULL, 0);
    pthread_mutex_unlock(&order);
    return failed;
}
