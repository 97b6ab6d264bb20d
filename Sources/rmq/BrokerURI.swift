internal import ArgumentParser
internal import RabbitMQ

extension ConnectionConfiguration {
    /// Where a command connects to.
    ///
    /// - Parameters:
    ///   - uri: As the library reads it.
    ///   - ca: A file of authorities to trust in place of the system's.
    init(brokerURI uri: String, ca: String? = nil) throws {
        try self.init(uri: uri)
        guard let ca else { return }
        guard tls != nil else { throw ValidationError("--ca is for a URI that begins with amqps://.") }
        tls?.trustRoots = [.file(ca)]
    }
}
