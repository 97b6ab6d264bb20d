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

    @Test func `the page about testing a handler shows the test that runs`() throws {
        let source = root.appending(path: "Tests/RabbitMQTestingTests/HandlerExampleTests.swift")
        let code = try String(contentsOf: source, encoding: .utf8)
        let shown = try page("TestingAHandler").components(separatedBy: "```swift\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
        // A part of a manifest begins with a dot.
        let tests = shown.filter { !$0.hasPrefix(".") }
        #expect(!tests.isEmpty)
        for block in tests { #expect(code.contains(block)) }
    }
}
