internal import CRabbitMQ

/// The versions of the C libraries that this process has loaded, which need not be those that it was built with.
///
/// For a service to say when it starts, or to compare with an advisory:
///
/// ```swift
/// print("rabbitmq-c \(LinkedLibraries.librabbitmq), OpenSSL \(LinkedLibraries.openSSL)")
/// ```
public enum LinkedLibraries {
    /// The version of rabbitmq-c, by which methods and properties are encoded and decoded: `0.15.0`.
    ///
    /// One between two releases ends with `-pre`.
    public static var librabbitmq: String { String(cString: amqp_version()) }

    /// The version of OpenSSL, which does TLS: `3.5.4`.
    ///
    /// A distribution that mends a mistake mostly leaves it as it is.
    public static var openSSL: String {
        // "OpenSSL 3.5.4 30 Sep 2025": the number by itself is not told before 3.0.
        let text = String(cString: OpenSSL_version(OPENSSL_VERSION))
        let words = text.split(separator: " ")
        return words.count > 1 ? String(words[1]) : text
    }
}
