// rabbitmq-c 0.12 moved its headers into a folder of their own.
#ifndef RABBITMQ_SWIFT_SHIM_H
#define RABBITMQ_SWIFT_SHIM_H

// One error that says it, before a page of others about what is not there.
#ifndef __linux__
#error "rabbitmq-swift is for Linux. On another system work in a container: the repository has a .devcontainer."
#else

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// OpenSSL's macros of the same names, which Swift does not import.
static inline int shim_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}
static inline int shim_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}
static inline void shim_SSL_CTX_set_mode(SSL_CTX *context, long mode) { (void)SSL_CTX_set_mode(context, mode); }
static inline void shim_SSL_CTX_set_no_renegotiation(SSL_CTX *context) {
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
}
static inline void shim_SSL_CTX_set_read_ahead(SSL_CTX *context, int on) { (void)SSL_CTX_set_read_ahead(context, on); }
static inline int shim_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}
static inline int shim_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline int shim_ERR_GET_LIB(unsigned long code) { return ERR_GET_LIB(code); }
static inline int shim_ERR_GET_REASON(unsigned long code) { return ERR_GET_REASON(code); }
static inline int shim_X509_NAME_print(BIO *bio, const X509_NAME *name) {
    return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
}
static inline long shim_BIO_get_mem_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }

// Has the processor fetch what will be written soon. In assembler, because __builtin_prefetch(address, 1) becomes a fetch for
// reading on plain x86-64, and another processor then still has to give the line up when it is written. On a processor without
// prefetchw the instruction does nothing. Publishing, `rmq perf publish` against scripts/bench/nullbroker.c, 15 interleaved
// runs, twice, together with flushes of 512 KiB: 0.084 and 0.088 us a message without, 0.070 and 0.073 us with it.
static inline void shim_prefetch_for_writing(const void *address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw (%0)" : : "r"(address));
#else
    __builtin_prefetch(address, 1);
#endif
}

static inline void shim_name_this_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

// Has this thread wake up when it asked to, not up to 50 us later.
static inline void shim_sleep_precisely(void) { (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }

// Which module a timespec belongs to depends on what the compiler happens to import first, and with it whether Swift may
// use its members.
static inline int shim_cond_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t nanoseconds) {
    struct timespec end = {.tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    return pthread_cond_timedwait(condition, lock, &end);
}
static inline uint64_t shim_monotonic_time(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
static inline int64_t shim_modification_time(const struct stat *status) {
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

// epoll's event is packed, which Swift does not lay out.
static inline int shim_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

// Waits for at most 32 events, and says what they are about.
enum { shim_epoll_most = 32 };
static inline int shim_epoll_wait(int epoll, uint32_t *events, uint64_t *data) {
    struct epoll_event all[shim_epoll_most];
    int count = epoll_wait(epoll, all, shim_epoll_most, -1);
    for (int i = 0; i < count; i++) {
        events[i] = all[i].events;
        data[i] = all[i].data.u64;
    }
    return count;
}

#endif
#endif
