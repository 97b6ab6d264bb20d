import Testing

@testable import RabbitMQ

@Suite("A publisher's options")
struct PublisherOptionsTests {
    private static func problem(_ change: (inout Publisher.Options) -> Void) -> String? {
        var options = Publisher.Options()
        change(&options)
        do {
            try options.validate()
            return nil
        } catch {
            return error.code == .invalidArgument ? error.message : "another error: \(error)"
        }
    }

    @Test func `that can't work are refused by their names`() {
        let usual = Self.problem { _ in }
        #expect(usual == nil)
        let unconfirmed = Self.problem { $0.maxUnconfirmed = 0 }
        #expect(unconfirmed?.contains("maxUnconfirmed is 0") == true)
        for count in [-1, 1001] {
            let again = Self.problem { $0.nackedAgain = count }
            #expect(again?.contains("nackedAgain is \(count)") == true)
        }
        let timeout = Self.problem { $0.timeout = .zero }
        #expect(timeout?.contains("timeout") == true)
    }
}
