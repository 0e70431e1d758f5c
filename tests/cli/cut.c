/*
 * Preloaded into the program by `kill.rs`: cuts the process off, as SIGKILL may, in the middle of its nth change of a
 * store file. A write is done by half, to a whole page, which is where Linux looks for a fatal signal.
 *
 * CUT_AT   which change, from 1; without it nothing is cut
 * CUT_LOG  a file that gets one line for each change
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_store(const char *path) { return strstr(path, "store.duckdb") != NULL; }

static int is_store_file(int fd) {
    char link[32], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_store(path);
}

/* Counts a change; whether it is the one to cut. */
static int due(void) {
    static long seen;
    const char *at = getenv("CUT_AT"), *log = getenv("CUT_LOG");
    long now = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (log) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (fd >= 0) {
            ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
            if (real(fd, "x\n", 2) != 2) abort();
            close(fd);
        }
    }
    return at && atol(at) == now;
}

static void cut(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static size_t half(size_t size) { return size > 8192 ? size / 2 / 4096 * 4096 : size / 2; }

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t place) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    if (is_store_file(fd) && due()) {
        if (real(fd, bytes, half(size), place) < 0) abort();
        cut();
    }
    return real(fd, bytes, size, place);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t place) { return pwrite64(fd, bytes, size, place); }

ssize_t write(int fd, const void *bytes, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (is_store_file(fd) && due()) {
        if (real(fd, bytes, half(size)) < 0) abort();
        cut();
    }
    return real(fd, bytes, size);
}

int ftruncate64(int fd, off_t size) {
    int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
    if (is_store_file(fd) && due()) cut();
    return real(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int unlink(const char *path) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    if (is_store(path) && due()) cut();
    return real(path);
}

int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (is_store(to) && due()) cut();
    return real(from, to);
}
