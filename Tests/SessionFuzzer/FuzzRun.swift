internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization
internal import TestSupport

/// All sessions, some at a time, and what they have come to.
final class FuzzRun: Sendable {
    private struct State {
        var next: UInt64
        var begun: [UInt64: ContinuousClock.Instant] = [:]
        var done = 0
        var tally = FuzzTally()
        var failures: [String] = []
        /// What the process took after a fifth of the sessions, when all that is made once was there.
        var settledMemory: Int?
    }

    /// How much more it may take at the end: some 200 bytes a session, of 200,000.
    private static let mostGrowth = 32 << 20

    /// A session that takes longer hangs: each of its awaits has a deadline under a second.
    private static let patience = Duration.seconds(60)

    private let options: FuzzOptions
    private let state: Mutex<State>
    private let start = ContinuousClock.now

    init(_ options: FuzzOptions) {
        self.options = options
        state = Mutex(State(next: options.numbers.lowerBound))
    }

    /// - Returns: Whether all is well.
    func run() async -> Bool {
        let sockets = Descriptors.open.sockets
        // What comes once and stays: threads, descriptors, caches.
        await FuzzSession(number: .max, options: options, tally: FuzzTally()).run()
        await settle { Descriptors.open.sockets == sockets }
        let descriptors = Descriptors.open.all
        Crash.report(slots: options.workers)
        let isOver = DispatchSemaphore(value: 0)
        // On a thread of its own, so that it sees it as well if all of Swift's are blocked.
        Thread.detachNewThread { [self] in
            while isOver.wait(timeout: .now() + 1) == .timedOut { reportHangs() }
        }
        await withDiscardingTaskGroup { group in
            for slot in 0..<options.workers { group.addTask { [self] in await work(slot) } }
        }
        isOver.signal()
        await settle { Descriptors.open.all == descriptors }
        let left = Descriptors.open.all
        if left != descriptors { fail("\(left) descriptors are open, \(descriptors) were at the beginning") }
        checkMemory()
        checkReach()
        report()
        return state.withLock { $0.failures.isEmpty }
    }

    private func work(_ slot: Int) async {
        let last = options.numbers.upperBound
        while true {
            if let seconds = options.seconds, ContinuousClock.now - start > .seconds(Int64(seconds)) { return }
            let number = state.withLock { state -> UInt64? in
                guard state.next < last else { return nil }
                defer { state.next += 1 }
                state.begun[state.next] = .now
                return state.next
            }
            guard let number else { return }
            Crash.slots[slot] = number
            let session = FuzzSession(number: number, options: options, tally: FuzzTally())
            let tally = await session.run()
            let done = state.withLock { state in
                state.begun[number] = nil
                state.done += 1
                state.tally.add(tally)
                return state.done
            }
            for failure in tally.failures { fail("session \(number): \(failure)") }
            if done == options.numbers.count / 5 { state.withLock { $0.settledMemory = Memory.resident } }
            if done % max(1, options.numbers.count / 10) == 0 { reportProgress(done) }
        }
    }

    private func checkMemory() {
        #if !SANITIZE_ADDRESS && !SANITIZE_THREAD
        // A sanitizer keeps what was freed, or what was seen.
        guard let settled = state.withLock({ $0.settledMemory }) else { return }
        let growth = Memory.resident - settled
        say("memory: \(growth / 1024) KiB more than after a fifth")
        if growth > Self.mostGrowth { fail("memory grew by \(growth) bytes") }
        #endif
    }

    /// A client that never connects breaks nothing either.
    private func checkReach() {
        let (done, counts) = state.withLock { ($0.done, $0.tally.counts) }
        guard done >= 1000 else { return }
        if counts["connected", default: 0] * 10 < done { fail("hardly any session has connected") }
        for what in ["published", "confirmed", "delivered"] where counts[what, default: 0] * 100 < done {
            fail("hardly any message was \(what)")
        }
    }

    private func fail(_ what: String) {
        let count = state.withLock { state in
            state.failures.append(what)
            return state.failures.count
        }
        if count <= 50 { say("FAILED \(what)") }
    }

    private func reportHangs() {
        let now = ContinuousClock.now
        let hanging = state.withLock { $0.begun.filter { now - $0.value > Self.patience }.keys.sorted() }
        guard !hanging.isEmpty else { return }
        say("HANG seed \(options.seed) sessions \(hanging)")
        exit(1)
    }

    private func reportProgress(_ done: Int) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        say(
            "\(done) sessions in \(Int(seconds)) s; resident \(Memory.resident / 1024) KiB"
        )
    }

    private func report() {
        let (done, tally, failures) = state.withLock { ($0.done, $0.tally, $0.failures.count) }
        say("seed \(options.seed): \(done) sessions in \(Int((ContinuousClock.now - start) / .seconds(1))) s")
        say(tally.description)
        say("failures: \(failures)")
    }

    /// Waits for sockets to be closed whose connections have ended a moment ago; what is left then is told by who counts.
    private func settle(_ isSettled: () -> Bool) async {
        var isFirst = true
        try? await eventually("the sockets are closed", within: .seconds(10)) {
            // Whatever the first wait takes for itself is there when descriptors are counted.
            defer { isFirst = false }
            return !isFirst && isSettled()
        }
    }
}

/// The descriptors that the process has open.
private enum Descriptors {
    /// To look takes none.
    static var open: (all: Int, sockets: Int) {
        var (all, sockets) = (0, 0)
        for descriptor in 0..<min(getdtablesize(), 65_536) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { continue }
            all += 1
            if status.st_mode & S_IFMT == S_IFSOCK { sockets += 1 }
        }
        return (all, sockets)
    }
}

/// Prints a line at once.
func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// What the process takes, in bytes.
enum Memory {
    static var resident: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}
