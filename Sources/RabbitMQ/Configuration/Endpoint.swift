extension ConnectionConfiguration {
    /// A place where a broker may listen.
    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// The name of the host, or its IPv4 or IPv6 address (without brackets).
        public var host: String

        /// The TCP port; nil for the usual one: 5672, or 5671 with TLS.
        public var port: Int?

        /// Makes an endpoint.
        ///
        /// - Parameters:
        ///   - host: The name of the host, or its address.
        ///   - port: The TCP port; the usual one by default.
        public init(host: String, port: Int? = nil) {
            self.host = host
            self.port = port
        }

        /// `localhost:5672`, `[::1]:5672`, and without the port if that is the usual one.
        public var description: String {
            let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
            return (port.map { "\(name):\($0)" } ?? name).printable()
        }

        /// In which order several endpoints are tried.
        public struct Order: Sendable, Hashable, CustomStringConvertible {
            /// In words.
            public let description: String

            /// As they stand.
            public static let listed = Order(description: "listed")
            /// In another order each time, so that many clients spread over the nodes of a cluster.
            public static let shuffled = Order(description: "shuffled")
        }

        func validate() throws(AMQPError) {
            guard !host.isEmpty, !host.utf8.contains(0) else {
                throw AMQPError(.invalidArgument, "the host is empty or holds a NUL character")
            }
            guard (1...65535).contains(port ?? 5672) else {
                throw AMQPError(.invalidArgument, "the port \(port ?? 0) is not from 1 to 65535")
            }
        }
    }
}

/// Why each of several endpoints could not be connected to. The `underlying` error of an ``AMQPError``.
public struct EndpointFailures: Error, Sendable, CustomStringConvertible {
    /// The endpoints in the order in which they were tried, each with its error.
    public let failures: [(endpoint: ConnectionConfiguration.Endpoint, error: AMQPError)]

    /// Each endpoint with the code of its error.
    public var description: String {
        failures.map { "\($0.endpoint) \($0.error.code)" }.joined(separator: ", ")
    }

    /// What is thrown: the only failure itself, or one error that tells all.
    var error: AMQPError {
        guard let last = failures.last?.error else {
            return AMQPError(.invalidArgument, "no endpoint is given to connect to")
        }
        guard failures.count > 1 else { return last }
        let messages = failures.map { "\($0.endpoint): \($0.error.message)" }.joined(separator: "; ")
        return AMQPError(
            failures.allSatisfy { $0.error.code == last.code } ? last.code : .connectionFailed,
            "none of \(failures.count) endpoints could be connected to: \(messages)",
            underlying: self
        )
    }
}

extension EndpointFailures: SeveralErrors {
    var errors: [AMQPError] { failures.map(\.error) }
}
