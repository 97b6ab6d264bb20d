import Foundation
import Testing

@Suite("The articles on other frameworks")
struct BesideOthersTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: CheckScript.root.appending(path: path), encoding: .utf8)
    }

    /// `scripts/examples.sh` compiles these files.
    @Test(arguments: ["BesideOthers", "WithVapor"])
    func `have their code, block for block, from the file that is compiled, and all of it`(_ name: String) throws {
        let article = try Self.text("Sources/RabbitMQ/RabbitMQ.docc/\(name).md")
        let source = try Self.text("Tests/\(name)/Sources/\(name).swift")
        let blocks = article.components(separatedBy: "```swift\n").dropFirst()
            .map { $0.components(separatedBy: "```")[0] }
        var rest = source
        for block in blocks {
            let place = rest.range(of: block)
            #expect(place != nil, "not compiled, or not in this order: \(block)")
            guard let place else { continue }
            rest = String(rest[place.upperBound...])
        }
        // Apart from the first line, which says what the file is.
        let lines = source.split(separator: "\n").dropFirst()
        #expect(blocks.joined().split(separator: "\n").count == lines.count, "the article leaves out some of the file")
    }
}
