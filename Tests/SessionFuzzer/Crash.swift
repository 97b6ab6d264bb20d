internal import Glibc

/// Names the sessions that are under way when the process crashes.
enum Crash {
    /// The session that each worker is at. Written by one thread each, and read when all is lost.
    nonisolated(unsafe) static let slots: UnsafeMutablePointer<UInt64> = {
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 1024)
        slots.initialize(repeating: 0, count: 1024)
        return slots
    }()

    nonisolated(unsafe) private static var count = 0

    static func report(slots count: Int) {
        self.count = min(count, 1024)
        _ = slots[0]
        var signals = [SIGILL, SIGTRAP, SIGABRT]
        #if !SANITIZE_ADDRESS
        // Of these the sanitizer makes a report of its own, and aborts after it if ASAN_OPTIONS says so.
        signals += [SIGSEGV, SIGBUS]
        #endif
        for number in signals {
            signal(number) { number in
                // Once: what comes next is the system's or the sanitizer's.
                signal(number, SIG_DFL)
                Crash.write("CRASH by signal \(number) in one of the sessions")
                for slot in 0..<Crash.count { Crash.write(" \(Crash.slots[slot])") }
                Crash.write("\n")
                raise(number)
            }
        }
    }

    /// Allocates, which may go wrong in a crash: then the line is missing, and no more.
    private static func write(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
}
