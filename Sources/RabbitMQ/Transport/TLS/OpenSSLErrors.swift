internal import CRabbitMQ
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// OpenSSL's queue of errors. Each thread has its own: it is read right after the call that failed.
enum OpenSSLErrors {
    struct Entry {
        let code: UInt

        var library: CInt { shim_ERR_GET_LIB(code) }
        /// The reason, or the errno if the library is ERR_LIB_SYS.
        var reason: CInt { shim_ERR_GET_REASON(code) }

        var text: String {
            if library == ERR_LIB_SYS { return String(cString: strerror(reason)) }
            guard let text = ERR_reason_error_string(code) else { return "OpenSSL's error \(code)" }
            return String(cString: text)
        }

        func isReason(_ reason: CInt, of library: CInt) -> Bool { self.library == library && self.reason == reason }
    }

    /// Takes all that is in the queue, oldest first.
    static func take() -> [Entry] {
        var entries: [Entry] = []
        while true {
            let code = ERR_get_error()
            guard code != 0 else { return entries }
            entries.append(Entry(code: code))
        }
    }

    static func clear() { ERR_clear_error() }
}

extension [OpenSSLErrors.Entry] {
    /// The reasons in OpenSSL's words, for the end of a message.
    var text: String {
        var reasons: [String] = []
        for entry in self where !reasons.contains(entry.text) { reasons.append(entry.text) }
        return reasons.isEmpty ? "no reason is given" : reasons.joined(separator: ", ")
    }
}
