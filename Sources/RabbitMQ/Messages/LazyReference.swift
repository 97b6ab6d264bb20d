internal import Synchronization

/// Something that is made when it is first asked for: of several that are made at once the first is kept.
///
/// The standard library's `AtomicLazyReference` does the same, but is not specialized for what it holds: with each look it
/// searches for the type's description: some 7 % of what a handler took that does nothing and whose time is taken, by
/// `perf` (`rmq perf handle --metrics`, Swift 6.3).
struct LazyReference<Instance: AnyObject & Sendable>: ~Copyable, Sendable {
    private let kept = Atomic<Unmanaged<Instance>?>(nil)

    deinit { kept.load(ordering: .acquiring)?.release() }

    @inline(__always)
    func load() -> Instance? { kept.load(ordering: .acquiring)?.takeUnretainedValue() }

    /// - Returns: The one that is kept: another one, if that came first.
    func storeIfNil(_ instance: Instance) -> Instance {
        let mine = Unmanaged.passRetained(instance)
        let (_, first) = kept.compareExchange(expected: nil, desired: mine, ordering: .acquiringAndReleasing)
        guard let first else { return instance }
        mine.release()
        return first.takeUnretainedValue()
    }
}
