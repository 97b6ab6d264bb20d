internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A value under a lock, and a way to sleep until somebody has changed it.
///
/// `@unchecked Sendable` is safe because POSIX's locks are made for any thread, and the value is reached under the lock only.
final class Monitor<Value>: @unchecked Sendable {
    /// What one who sleeps until something happens does next.
    enum Step<Result> {
        case done(Result)
        /// Sleeps, and leaves the value to others meanwhile; may wake without a reason. Until when at the latest is a time
        /// of ``MonotonicTime``; nil for as long as it takes.
        case sleep(until: UInt64?)
    }

    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let change = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    init(_ value: consuming sending Value) {
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        change.initialize(to: pthread_cond_t())
        pthread_cond_init(change, &attributes)
        pthread_condattr_destroy(&attributes)
        self.value.initialize(to: value)
    }

    deinit {
        pthread_cond_destroy(change)
        pthread_mutex_destroy(lock)
        value.deinitialize(count: 1)
        value.deallocate()
        change.deallocate()
        lock.deallocate()
    }

    func withLock<Result, E: Error>(
        _ body: (inout sending Value) throws(E) -> sending Result
    ) throws(E) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value.pointee)
    }

    /// Calls `next` under the lock, and again each time that it has slept, until it is done.
    func wait<Result>(_ next: (inout sending Value) -> sending Step<Result>) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            switch next(&value.pointee) {
            case .done(let result): return result
            case .sleep(nil): pthread_cond_wait(change, lock)
            case .sleep(let time?): _ = shim_cond_wait_until(change, lock, time)
            }
        }
    }

    /// Wakes one that sleeps. Without the lock, which it would wait for at once.
    func signal() { pthread_cond_signal(change) }
}
