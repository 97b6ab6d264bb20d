#if Tool
internal import Foundation

/// A question to a web server with TLS, which the program curl asks: this tool has no TLS but AMQP's.
struct CurlHTTP {
    let user: String
    let password: String
    /// A file with the authorities to trust; the system's if nil.
    let ca: String?
    let limit: Duration

    /// Asks, and blocks meanwhile.
    func get(_ url: String) throws -> HTTPAnswer {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["curl", "-q", "--config", "-"]
        let (typed, written, complained) = (Pipe(), Pipe(), Pipe())
        process.standardInput = typed
        process.standardOutput = written
        process.standardError = complained
        do {
            try process.run()
        } catch {
            throw ToolError("curl can't be run, which https takes", cure: "apt-get install curl")
        }
        try? Terminal.write(Array(settings(url).utf8), to: typed.fileHandleForWriting.fileDescriptor)
        try? typed.fileHandleForWriting.close()
        let output = (try? written.fileHandleForReading.readToEnd()) ?? Data()
        let errors = (try? complained.fileHandleForReading.readToEnd()) ?? Data()
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            guard process.terminationStatus != 127 else {
                throw ToolError("https takes curl, which is missing", cure: "apt-get install curl")
            }
            let text = String(decoding: errors.prefix(1000), as: UTF8.self)
            throw ToolError(text.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let text = output.suffix(3)
        guard text.count == 3, let status = Int(String(decoding: text, as: UTF8.self)) else {
            throw ToolError("curl tells no status")
        }
        return HTTPAnswer(status: status, body: Array(output.dropLast(3)))
    }

    /// By its standard input: its arguments would show the password to others.
    private func settings(_ url: String) -> String {
        var lines = [
            "url = \(quoted(url))", "user = \(quoted("\(user):\(password)"))", "basic", "silent", "show-error",
            "globoff", "max-time = \(max(1, Int(limit / .seconds(1))))", "max-filesize = \(HTTPAnswer.longest)",
            #"proto = "=https""#, #"write-out = "%{http_code}""#,
        ]
        if let ca { lines.append("cacert = \(quoted(ca))") }
        return lines.joined(separator: "\n") + "\n"
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
#endif
