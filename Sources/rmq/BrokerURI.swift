internal import ArgumentParser
internal import RabbitMQ

extension ConnectionConfiguration {
    /// Where a command connects to.
    ///
    /// - Parameters:
    ///   - uri: As the library reads it, but for an empty virtual host: here that is `/`, since people end addresses with
    ///     a slash.
    ///   - ca: A file of authorities to trust in place of the system's.
    init(brokerURI uri: String, ca: String? = nil) throws {
        try self.init(uri: uri)
        if virtualHost.isEmpty { virtualHost = "/" }
        guard let ca else { return }
        guard tls != nil else { throw ValidationError("--ca is for a URI that begins with amqps://.") }
        tls?.trustRoots = [.file(ca)]
    }
}
