import Foundation
import Testing

/// The pages say what is so.
@Suite struct DocumentationTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func page(_ name: String) throws -> String {
        try String(
            contentsOf: root.appending(path: "Sources/RabbitMQTesting/RabbitMQTesting.docc/\(name).md"),
            encoding: .utf8
        )
    }

    @Test func `the table of what the broker does is the list of what it is compared in`() throws {
        let section = try #require(try page("WhatTheBrokerDoes").components(separatedBy: "## As RabbitMQ").last)
            .components(separatedBy: "\n## ")[0]
        let rows = section.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst().map(String.init)
        #expect(rows == Scenario.all.map(\.row))
    }

    @Test(arguments: [("TestingAHandler", "HandlerExampleTests"), ("TestingServices", "ServiceExampleTests")])
    func `the pages about testing show tests that run`(name: String, file: String) throws {
        let source = root.appending(path: "Tests/RabbitMQTestingTests/\(file).swift")
        let code = try String(contentsOf: source, encoding: .utf8)
        let shown = try page(name).components(separatedBy: "```swift\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
        // A part of a manifest begins with a dot.
        let tests = shown.filter { !$0.hasPrefix(".") }
        #expect(!tests.isEmpty)
        for block in tests { #expect(code.contains(block)) }
    }
}
