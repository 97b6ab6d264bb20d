internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Threads of the library's own, for what no thread of Dispatch's may be held up with.
package enum LibraryThread {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a thread of its own.
    ///
    /// - Parameter name: What debuggers and `ps` show, at most 15 bytes.
    /// - Throws: `connectionFailed` if the system has no thread left.
    package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(AMQPError) {
        assert(name.utf8.count <= 15, "the system refuses a longer name, and the thread has its parent's")
        // The application's threads take the signals that are sent to the process. Those of a fault stay: Dispatch's
        // threads inherit the mask when they are started from here.
        var (most, before) = (sigset_t(), sigset_t())
        sigfillset(&most)
        for signal in [SIGILL, SIGTRAP, SIGFPE, SIGBUS, SIGSEGV, SIGSYS, SIGPIPE, SIGPROF] { sigdelset(&most, signal) }
        pthread_sigmask(SIG_SETMASK, &most, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(name, body))
        let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { start in
            guard let start else { return nil }
            let (name, body) = {
                let start = Unmanaged<Start>.fromOpaque(start).takeRetainedValue()
                return (start.name, start.body)
            }()
            shim_name_this_thread(name)
            body()
            return nil
        }
        let code = pthread_create(&thread, nil, run, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw AMQPError(.connectionFailed, "no thread for \(name): \(String(cString: strerror(code)))")
        }
        pthread_detach(thread)
    }
}
