internal import Foundation
internal import Glibc

/// Another program that runs, and its standard input, output and errors.
///
/// Foundation's `Process` looks through the open descriptors, and reads beyond a buffer of 32 KB where there are more
/// than some 1,300: as soon as tests hold many connections, starting a program crashed now and then.
struct ChildProcess: Sendable {
    let id: pid_t
    let input: FileHandle
    let output: FileHandle
    let errors: FileHandle

    /// Starts a program.
    ///
    /// - Throws: ``Subprocess/Failed`` if it can't be started.
    init(_ program: String, _ arguments: [String]) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The child's ends, closed here when it has them. Sockets rather than pipes: their ends are made so that no
        // other program, started at the same time, inherits them and keeps them open.
        var ends: [FileHandle] = []
        func connect(_ descriptor: CInt) throws -> FileHandle {
            var pair: [CInt] = [0, 0]
            guard socketpair(AF_UNIX, TCPProxy.streamSocket, 0, &pair) == 0 else { throw Self.failure(program, errno) }
            ends.append(FileHandle(fileDescriptor: pair[1], closeOnDealloc: true))
            posix_spawn_file_actions_adddup2(&actions, pair[1], descriptor)
            return FileHandle(fileDescriptor: pair[0], closeOnDealloc: true)
        }
        input = try connect(0)
        output = try connect(1)
        errors = try connect(2)

        // Dispatch's threads block most signals, and a program inherits that unless told otherwise.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, CShort(POSIX_SPAWN_SETSIGMASK))

        let words = Self.copies([program] + arguments)
        let variables = Self.copies(ProcessInfo.processInfo.environment.map { "\($0)=\($1)" })
        defer { for word in words + variables { free(word) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, program, &actions, &attributes, words, variables)
        guard code == 0 else { throw Self.failure(program, code) }
        id = child
        for end in ends { try end.close() }
    }

    /// Waits until it has ended, and lets the system forget it.
    ///
    /// - Returns: Its exit status, or the negative number of the signal that ended it.
    func wait() -> CInt {
        var status: CInt = 0
        while waitpid(id, &status, 0) < 0 {
            guard errno == EINTR else { return -1 }
        }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }

    private static func copies(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] { texts.map { strdup($0) } + [nil] }

    private static func failure(_ program: String, _ code: CInt) -> Subprocess.Failed {
        Subprocess.Failed(description: "\(program): \(String(cString: strerror(code)))")
    }
}
