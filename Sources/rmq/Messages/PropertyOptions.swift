#if Tool
internal import ArgumentParser
internal import Foundation
internal import RabbitMQ

/// The properties of messages that are published.
struct PropertyOptions: ParsableArguments {
    @Option(
        name: [.customShort("H"), .customLong("header")],
        help: ArgumentHelp(
            "A header; repeatable.",
            discussion:
                "The value is text, or with := in place of = JSON: attempt:=3, tags:=[\"a\"], at:={\"$timestamp\":0}.",
            valueName: "name=value"
        )
    )
    var headers: [String] = []

    @Option(help: "The MIME type of the body.")
    var contentType: String?

    @Option(help: "The encoding of the body, such as gzip.")
    var contentEncoding: String?

    @Flag(inversion: .prefixedNo, help: "Survive a restart of the broker.")
    var persistent = true

    @Option(help: "The priority, for queues that have priorities.")
    var priority: UInt8?

    @Option(help: "The request that this answers.")
    var correlationId: String?

    @Option(help: "The queue for answers.")
    var replyTo: String?

    @Option(help: ArgumentHelp("How long a message may wait in a queue: 500ms, 30s, 5m.", valueName: "time"))
    var expiration: Span?

    @Option(help: "The message's name.")
    var messageId: String?

    @Option(help: ArgumentHelp("When it was made, in seconds since 1970; now by default.", valueName: "seconds"))
    var timestamp: Int64?

    @Option(help: "The message's type.")
    var type: String?

    @Option(help: "Who publishes; RabbitMQ takes the connection's user only.")
    var userId: String?

    @Option(help: "The application that publishes.")
    var appId: String?

    func validate() throws { _ = try table() }

    /// Whether none is given.
    var isEmpty: Bool {
        let texts = [contentType, contentEncoding, correlationId, replyTo, messageId, type, userId, appId]
        return headers.isEmpty && texts.allSatisfy { $0 == nil } && persistent && priority == nil && expiration == nil
            && timestamp == nil
    }

    /// Makes a message of a body.
    func message(_ body: [UInt8]) throws -> Message {
        let isText = String(validating: body, as: UTF8.self) != nil
        return Message(
            body: body,
            headers: try table(),
            contentType: contentType ?? (isText ? "text/plain" : "application/octet-stream"),
            contentEncoding: contentEncoding,
            deliveryMode: persistent ? .persistent : .transient,
            priority: priority,
            correlationID: correlationId,
            replyTo: replyTo,
            expiration: expiration.map { "\(Int64($0.duration / .milliseconds(1)))" },
            messageID: messageId,
            timestamp: timestamp.map { Date(timeIntervalSince1970: Double($0)) } ?? Date(),
            type: type,
            userID: userId,
            appID: appId
        )
    }

    private func table() throws -> FieldTable? {
        headers.isEmpty ? nil : try Assignments.table(headers, option: "--header")
    }
}

/// `name=text` and `name:=JSON`.
enum Assignments {
    static func table(_ texts: [String], option: String) throws -> FieldTable {
        var table: FieldTable = [:]
        for text in texts {
            let (name, value) = try assignment(text, option: option)
            // Only one of both would count, and which one is meant nobody knows.
            guard table.updateValue(value, forKey: name) == nil else {
                throw ValidationError("\(option) \(text): \(name) is given twice.")
            }
        }
        return table
    }

    private static func assignment(_ text: String, option: String) throws -> (name: String, value: FieldValue) {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
            throw ValidationError("\(option) \(text): it is name=value, or name:=JSON.")
        }
        let value = String(text[text.index(after: sign)...])
        let before = text.index(before: sign)
        guard text[before] == ":", before != text.startIndex else {
            return (String(text[..<sign]), .string(value))
        }
        do {
            return (String(text[..<before]), try JSONDecoder().decode(FieldValue.self, from: Data(value.utf8)))
        } catch {
            throw ValidationError("\(option) \(text): what stands behind := is no JSON.")
        }
    }
}
#endif
