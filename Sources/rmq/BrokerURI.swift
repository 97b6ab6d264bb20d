#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

extension ConnectionConfiguration {
    /// Where a command connects to.
    ///
    /// - Parameters:
    ///   - uri: As the library reads it.
    ///   - ca: A file of authorities to trust in place of the system's.
    /// - Throws: `ValidationError` for what can't be meant, which says nothing of the password.
    init(brokerURI uri: String, ca: String? = nil) throws {
        do {
            try self.init(uri: uri)
        } catch {
            throw ValidationError("--uri: \(error.message)")
        }
        // Who measures or shows something wants to know that the connection was lost, and not wait for the next.
        recovery = .none
        guard let ca else { return }
        guard tls != nil else { throw ValidationError("--ca is for a URI that begins with amqps://.") }
        guard FileManager.default.isReadableFile(atPath: ca) else {
            throw ValidationError("--ca: \(ca) can't be read.")
        }
        tls?.trustRoots = [.file(ca)]
    }
}
#endif
