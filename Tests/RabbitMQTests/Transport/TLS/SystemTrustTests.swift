import CRabbitMQ
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import RabbitMQ

@Suite("the system's authorities")
struct SystemTrustTests {
    private func context() throws -> TLSContext {
        var tls = ConnectionConfiguration.TLS()
        tls.verification = .none
        return try TLSContext(tls, peerName: PeerName("localhost"))
    }

    private struct Uses {
        var contexts: [TLSContext] = []
        var reads = 0

        var stores: [OpaquePointer?] { contexts.map { SSL_CTX_get_cert_store($0.context) } }
    }

    private func use(_ trust: SystemTrust, _ uses: inout Uses) throws {
        let context = try context()
        try trust.use(in: context.context) { uses.reads += 1 }
        uses.contexts.append(context)
    }

    @Test func `are read once, and shared`() throws {
        let trust = SystemTrust { ["/nowhere/at/all"] }
        var uses = Uses()
        for _ in 0..<3 { try use(trust, &uses) }
        #expect(uses.reads == 1)
        #expect(Set(uses.stores).count == 1)
    }

    @Test func `outlive the context that they were read into`() throws {
        let trust = SystemTrust { [] }
        var uses = Uses()
        try use(trust, &uses)
        uses.contexts = []
        for _ in 0..<2 { try use(trust, &uses) }
        #expect(uses.reads == 1)
        #expect(Set(uses.stores).count == 1)
        #expect(uses.stores.first.flatMap { $0 }.flatMap { X509_STORE_get0_objects($0) } != nil)
    }

    @Test func `are read anew when a file of theirs comes, changes, is exchanged or goes`() throws {
        let files = try TestCertificates()
        let path = files.path("bundle.pem")
        let trust = SystemTrust { ["/nowhere/at/all", path] }
        var uses = Uses()
        func useTwice() throws {
            for _ in 0..<2 { try use(trust, &uses) }
        }
        try useTwice()
        #expect(uses.reads == 1)
        try files.write("one", to: "bundle.pem")
        try useTwice()
        #expect(uses.reads == 2)
        try files.write("more", to: "bundle.pem")
        try useTwice()
        #expect(uses.reads == 3)
        // Of the same length, and maybe within one tick of the clock: it is another file.
        try files.write("less", to: "other.pem")
        #expect(rename(files.path("other.pem"), path) == 0)
        try useTwice()
        #expect(uses.reads == 4)
        #expect(unlink(path) == 0)
        try useTwice()
        #expect(uses.reads == 5)
        #expect(Set(uses.stores).count == 5)
    }

    @Test func `are read anew when something happens in a directory of theirs`() throws {
        let files = try TestCertificates()
        let trust = SystemTrust { [files.folder] }
        var uses = Uses()
        try use(trust, &uses)
        #expect(mkdir(files.path("inside"), 0o700) == 0)
        try use(trust, &uses)
        #expect(uses.reads == 2)
    }

    @Test func `are read anew when they are looked for elsewhere`() throws {
        let places = Mutex(["/nowhere/a"])
        let trust = SystemTrust { places.withLock { $0 } }
        var uses = Uses()
        try use(trust, &uses)
        places.withLock { $0 = ["/nowhere/b"] }
        try use(trust, &uses)
        #expect(uses.reads == 2)
    }

    @Test func `are read by the next who wants them when they could not be read`() throws {
        let trust = SystemTrust { [] }
        let context = try context()
        let failure = #expect(throws: TLSFailure.self) {
            try trust.use(in: context.context) { () throws(TLSFailure) in
                throw TLSFailure(.configuration, .badCertificate, "broken")
            }
        }
        #expect(failure?.message == "broken")
        var uses = Uses()
        for _ in 0..<2 { try use(trust, &uses) }
        #expect(uses.reads == 1)
    }

    @Test func `are read by one of many who want them at once`() async throws {
        let trust = SystemTrust { [] }
        let reads = Mutex(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask { @Sendable in
                    let context = try context()
                    try trust.use(in: context.context) { reads.withLock { $0 += 1 } }
                }
            }
            try await group.waitForAll()
        }
        #expect(reads.withLock { $0 } == 1)
    }
}
