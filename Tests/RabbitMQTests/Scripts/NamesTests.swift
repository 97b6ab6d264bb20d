import Foundation
import Testing

@Suite("scripts/names.sh", .timeLimit(.minutes(1)))
struct NamesTests {
    private static let script = CheckScript(name: "names.sh")

    private static let tree = [
        "Sources/RabbitMQ/Low/Hare.swift": """
        /// A comment, which is no code: buriedAlive, struct Ghost {}
        public struct Hare: Sendable {
            public enum Gait { case walking, running(fast: Bool) }
            public private(set) var legCount = 4
            var isTame: Bool { false }
            public init(named name: String, _ age: Int = 1) {}
            public func jump(
                over hedge: (Int, [String: Int]) = (1, [:]),
                _ ditch: Int,
                then body: () -> Void
            ) {
                let takeOff = 1
            }
            private actor Burrow { var exitCount = 0 }
        }
        extension Hare.Gait {
            public static func speed(of hare: Hare) -> Int { 1 }
        }
        extension [UInt8] {
            init(copying text: String) { self = [] }
        }
        public protocol Hopping {
            func hopAway()
        }
        public extension Hare {
            var earCount: Int { 2 }
        }
        """,
        "Sources/CRabbitMQ/shim.h": "static inline void shim_hop(void) {}\n",
        "Sources/RabbitMQ/RabbitMQ.docc/Burrows.md": "# Burrows\n",
        "Tests/HareTests/HareTests.swift": "struct HareTests {}\n",
        "scripts/hop.sh": "#!/bin/sh\n",
    ]

    /// What the script says of a page with this text; nothing if it is content.
    private static func check(_ text: String, in page: String = "README.md") async throws -> String {
        try await script.run(on: tree.merging([page: text], uniquingKeysWith: { _, new in new }))
    }

    @Test func `has nothing to say of this repository's pages`() async throws {
        #expect(try await Self.script.run() == "")
    }

    // All in one page: the script is started once for each test.
    private static let there = [
        "`Hare`", "`Gait`", "`Hare.Gait`", "`Hare.legCount`", "`Hare.isTame`", "`Gait.running`", "`Burrow.exitCount`",
        "`Hare.jump`", "`Hare.jump()`", "`Hare.jump(over:_:then:)`", "`jump(over:_:then:)`", "`legCount`",
        "`.legCount`",
        "`Hare(named:_:)`", "`Hare()`", "`Gait.speed(of:)`", "`[UInt8](copying:)`", "`takeOff`", "`shim_hop`",
        "`hop.sh`", "`hop.sh --high`", "`scripts/hop.sh`", "`scripts/hop.sh [--high]`", "`Sources/RabbitMQ/Low/`",
        "`Low`", "`Hare.swift`", "`HareTests`", "``Hare``", "``Hare/Gait``", "``Hare/Gait/walking``",
        "``Hare/legCount``", "``Hare/jump(over:_:then:)``", "``Hare/init(named:_:)``", "``Hare/Gait/speed(of:)``",
        "``Hopping/hopAway()``", "``Hare/earCount-8x9yz``", "``/RabbitMQ/Hare/legCount``",
        "<doc:Burrows>", "<doc:Burrows#Deep-ones>",
    ]

    private static let missing = [
        "`Rabbit`", "`Rabbit.legCount`", "`Hare.Rabbit`", "`Hare.wingCount`", "`Hare.exitCount`", "`Hare.takeOff`",
        "`Ghost`", "`buriedAlive`", "`Hare.jump(over:)`", "`jump(under:)`", "`Hare(named:)`", "`wingCount`",
        "`.wingCount`", "`flyAway()`", "`[UInt8](moving:)`", "`shim_fly`", "`fly.sh`", "`fly.sh --high`",
        "`scripts/fly.sh`", "`Sources/RabbitMQ/High`", "`Rabbit.swift`", "`RabbitTests`", "``Rabbit``",
        "``Hare/isTame``", "``Hare/Burrow``", "``Hare/wingCount``", "``Hare/jump(over:)``", "``legCount``",
        "``/RabbitMQ/Rabbit``", "<doc:Forms>",
    ]

    private static let foreign = [
        "`--high`", "`basic.get`", "`x-queue-type`", "`amqp_basic_publish`", "`hares`", "`rmq perf`", "`... limit ...`",
        "`Codable`", "`AsyncSequence`", "`abort()`", "```swift\nlet rabbit = Rabbit.make()\n```",
        "```\nRabbit is what it draws\n```", "Rabbit, without anything round it", "`a text\nof two lines, Rabbit`",
    ]

    @Test func `finds what is there, and passes over what is no name of ours`() async throws {
        #expect(try await Self.check((Self.there + Self.foreign).joined(separator: "\n\n") + "\n") == "")
    }

    @Test(arguments: [
        "README.md", ".github/CONTRIBUTING.md", "Sources/RabbitMQ/RabbitMQ.docc/Hares.md",
        "Sources/RabbitMQTesting/RabbitMQTesting.docc/Hares.md",
    ])
    func `names the page and the line of each name that is not there`(page: String) async throws {
        let text = Self.missing.map { "It says `Hare` and \($0), and `Hare` again." }.joined(separator: "\n")
        let lines = Self.missing.enumerated().map { "\(page):\($0 + 1): \($1) is not there\n" }.joined()
        #expect(try await Self.check(text, in: page) == lines + "status 1\n")
    }

    @Test func `looks at the members in a drawing`() async throws {
        let said = try await Self.check("```\nHare.jump   Gait.speed\n  Hare.fly\n```\n")
        #expect(said == "README.md:3: `Hare.fly` is not there\nstatus 1\n")
    }

    @Test func `takes a span that nobody ends for no longer than its paragraph`() async throws {
        #expect(try await Self.check("One ` too many.\n\nThen `Rabbit`.\n").hasPrefix("README.md:3: `Rabbit`"))
    }

    @Test func `says so when there is nothing to look at`() async throws {
        let said = try await Self.script.run(in: "/usr/include")
        #expect(said.contains("there are no pages"))
        #expect(said.hasSuffix("status 2\n"))
    }
}
