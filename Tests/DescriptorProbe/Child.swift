internal import Glibc

/// A process that is forked, as programs do which know neither Swift's threads nor this library.
enum Child {
    private typealias Fork = @convention(c) () -> pid_t

    /// Runs `body` in a child, where nothing has threads or may allocate, and which has to end there; waits for the child.
    static func run(_ body: () -> Void) {
        // By its name, as Swift does not offer it everywhere.
        guard let symbol = dlsym(nil, "fork") else { return print("there is no fork") }
        let id = unsafeBitCast(symbol, to: Fork.self)()
        guard id != 0 else {
            body()
            _exit(1)
        }
        var status: CInt = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        if status != 0 { print("a child ended with \(status)") }
    }
}
