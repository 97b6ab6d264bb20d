import RabbitMQ
import Testing

@Suite("LinkedLibraries")
struct LinkedLibrariesTests {
    @Test(arguments: [LinkedLibraries.librabbitmq, LinkedLibraries.openSSL])
    func `a version is numbers with points between`(version: String) {
        let numbers = version.split(separator: "-", maxSplits: 1)[0].split(separator: ".")
        #expect(numbers.count == 3, "\(version)")
        #expect(numbers.allSatisfy { Int($0) != nil }, "\(version)")
    }
}
