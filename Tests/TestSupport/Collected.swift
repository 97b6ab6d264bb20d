internal import Synchronization

/// What callbacks gave, from any thread.
public final class Collected<Element: Sendable>: Sendable {
    private let stored = Mutex<[Element]>([])

    public init() {}

    public var all: [Element] { stored.withLock { $0 } }

    public var count: Int { stored.withLock { $0.count } }

    public func add(_ element: Element) { stored.withLock { $0.append(element) } }
}
