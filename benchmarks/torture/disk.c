/* A library for LD_PRELOAD that records what a process does to the files of one folder, and lets some of it fail.

   TORTURE_FOLDER   Files whose path begins with this text are recorded.
   TORTURE_LOG      The recording; each operation is appended by one writev, so that processes may share it.
   TORTURE_FAIL     A file with "PERCENT ERRNO": while it exists, so many writes and syncs fail with that error.

   Writes are recorded before they are made, syncs before (F) and after (S): what was recorded before the F is on the
   disk at the S. The reader is disk_states.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FILES 65536
#define EXPORT __attribute__((visibility("default")))

struct head {
    uint32_t size_of_path, size_of_data;
    uint64_t offset;
    uint32_t task;
    char operation, padding[3];
};

static char *paths[MAX_FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *fail_file;
static int log_file = -1;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void)
{
    folder = getenv("TORTURE_FOLDER");
    fail_file = getenv("TORTURE_FAIL");
    const char *log = getenv("TORTURE_LOG");
    if (log != NULL)
        log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static const char *path_of(int file) { return file >= 0 && file < MAX_FILES ? paths[file] : NULL; }

static void record(char operation, const char *path, const void *data, size_t size, uint64_t offset)
{
    if (log_file < 0)
        return;
    struct head head = {(uint32_t)strlen(path), (uint32_t)size, offset, (uint32_t)syscall(SYS_gettid), operation, {0}};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, strlen(path)}, {(void *)data, size}};
    if (syscall(SYS_writev, log_file, parts, 3) != (long)(sizeof head + strlen(path) + size))
        abort();
}

static int fails(void)
{
    if (fail_file == NULL)
        return 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, fail_file, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    char text[32] = {0};
    long length = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    int percent = 0, number = EIO;
    if (length <= 0 || sscanf(text, "%d %d", &percent, &number) < 1 || random() % 100 >= percent)
        return 0;
    errno = number;
    return 1;
}

static void opened(int file, const char *path, int flags)
{
    if (file < 0 || file >= MAX_FILES || folder == NULL)
        return;
    char whole[4096];
    if (path[0] != '/') {
        if (getcwd(whole, sizeof whole - 1) == NULL || strlen(whole) + strlen(path) + 2 > sizeof whole)
            return;
        strcat(strcat(whole, "/"), path);
        path = whole;
    }
    pthread_mutex_lock(&lock);
    free(paths[file]);
    paths[file] = strncmp(path, folder, strlen(folder)) == 0 ? strdup(path) : NULL;
    pthread_mutex_unlock(&lock);
    if (paths[file] != NULL && (flags & O_CREAT))
        record('O', path, NULL, 0, 0);
    if (paths[file] != NULL && (flags & O_TRUNC))
        record('T', path, NULL, 0, 0);
}

#define DEFINE_OPEN(name)                                                                                              \
    EXPORT int name(const char *path, int flags, ...)                                                                  \
    {                                                                                                                  \
        static int (*real)(const char *, int, ...);                                                                    \
        if (real == NULL)                                                                                              \
            real = next(#name);                                                                                        \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        int mode = va_arg(more, int), file = real(path, flags, mode);                                                  \
        va_end(more);                                                                                                  \
        int saved = errno;                                                                                             \
        opened(file, path, flags);                                                                                     \
        errno = saved;                                                                                                 \
        return file;                                                                                                   \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

EXPORT int close(int file)
{
    if (path_of(file) != NULL) {
        pthread_mutex_lock(&lock);
        free(paths[file]);
        paths[file] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, file);
}

#define DEFINE_PWRITE(name)                                                                                            \
    EXPORT ssize_t name(int file, const void *data, size_t size, off64_t offset)                                       \
    {                                                                                                                  \
        static ssize_t (*real)(int, const void *, size_t, off64_t);                                                    \
        if (real == NULL)                                                                                              \
            real = next(#name);                                                                                        \
        if (path_of(file) != NULL) {                                                                                   \
            if (fails())                                                                                               \
                return -1;                                                                                             \
            record('W', path_of(file), data, size, (uint64_t)offset);                                                  \
        }                                                                                                              \
        return real(file, data, size, offset);                                                                         \
    }
DEFINE_PWRITE(pwrite)
DEFINE_PWRITE(pwrite64)

EXPORT ssize_t write(int file, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL)
        real = next("write");
    if (path_of(file) != NULL) {
        if (fails())
            return -1;
        record('W', path_of(file), data, size, (uint64_t)lseek(file, 0, SEEK_CUR));
    }
    return real(file, data, size);
}

#define DEFINE_TRUNCATE(name)                                                                                          \
    EXPORT int name(int file, off64_t size)                                                                            \
    {                                                                                                                  \
        static int (*real)(int, off64_t);                                                                              \
        if (real == NULL)                                                                                              \
            real = next(#name);                                                                                        \
        if (path_of(file) != NULL)                                                                                     \
            record('T', path_of(file), NULL, 0, (uint64_t)size);                                                       \
        return real(file, size);                                                                                       \
    }
DEFINE_TRUNCATE(ftruncate)
DEFINE_TRUNCATE(ftruncate64)

#define DEFINE_SYNC(name)                                                                                              \
    EXPORT int name(int file)                                                                                          \
    {                                                                                                                  \
        static int (*real)(int);                                                                                       \
        if (real == NULL)                                                                                              \
            real = next(#name);                                                                                        \
        if (path_of(file) == NULL)                                                                                     \
            return real(file);                                                                                         \
        if (fails())                                                                                                   \
            return -1;                                                                                                 \
        record('F', path_of(file), NULL, 0, 0);                                                                        \
        int result = real(file);                                                                                       \
        if (result == 0)                                                                                               \
            record('S', path_of(file), NULL, 0, 0);                                                                    \
        return result;                                                                                                 \
    }
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)

EXPORT int unlink(const char *path)
{
    static int (*real)(const char *);
    if (real == NULL)
        real = next("unlink");
    int result = real(path);
    if (result == 0 && folder != NULL && strncmp(path, folder, strlen(folder)) == 0)
        record('U', path, NULL, 0, 0);
    return result;
}
