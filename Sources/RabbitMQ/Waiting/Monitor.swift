internal import CRabbitMQ
internal import Glibc

/// A lock, and a way to sleep until somebody has changed what it protects.
///
/// `@unchecked Sendable` is safe because POSIX's locks are made for any thread.
final class Monitor: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        change.initialize(to: pthread_cond_t())
        pthread_cond_init(change, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(change)
        pthread_mutex_destroy(lock)
        change.deallocate()
        lock.deallocate()
    }

    func enter() { pthread_mutex_lock(lock) }

    func leave() { pthread_mutex_unlock(lock) }

    /// Wakes one that sleeps.
    func signal() { pthread_cond_signal(change) }

    /// Sleeps, and leaves it to others meanwhile. May end without a reason.
    ///
    /// - Parameter time: Until when at the latest, in ``MonotonicTime``; nil for as long as it takes.
    func sleep(until time: UInt64?) {
        guard let time else {
            pthread_cond_wait(change, lock)
            return
        }
        _ = shim_cond_wait_until(change, lock, time)
    }
}
