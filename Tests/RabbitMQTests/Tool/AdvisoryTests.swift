#if Tool
import Testing

/// `Advisory.swift` is a link to the tool's, which tests can't import.
@Suite("The advisories of rmq doctor")
struct AdvisoryTests {
    private static func names(
        _ library: Advisory.Library,
        _ version: String,
        log: String = "",
        bits: Int = 64
    ) -> [String] {
        Advisory.mattering(of: library, version: version, log: log, bits: bits).flatMap(\.names)
    }

    @Test func `each row of the list is read`() {
        let rows = Advisory.list.split(separator: "\n")
        #expect(rows.count >= 29 && Advisory.all.count == rows.count)
    }

    @Test func `a version has those that its branch has not mended, and none that is younger or can't be reached`() {
        let both = ["CVE-2024-6119", "CVE-2024-13176"]
        #expect(Self.names(.openssl, "3.0.14") == both)
        #expect(Self.names(.openssl, "3.0.15") == ["CVE-2024-13176"])
        #expect(Self.names(.openssl, "3.0.16").isEmpty)
        #expect(Self.names(.openssl, "3.3.1") == both + ["CVE-2025-66199"])
        #expect(Self.names(.openssl, "3.4.0") == ["CVE-2024-13176", "CVE-2025-66199"])
        for version in ["3.0.19", "3.5.5", "3.6.1", "3.10.0", "4.0.0"] {
            #expect(Self.names(.openssl, version).isEmpty, "\(version)")
        }
    }

    @Test func `what can be reached on 32 bits only matters there`() {
        let number = "GHSA-jgjf-7fwf-f3c7"
        for version in ["0.11.0", "0.16.0", "0.17.0-pre"] {
            #expect(Self.names(.librabbitmq, version).isEmpty, "\(version)")
        }
        #expect(Self.names(.librabbitmq, "0.16.0", bits: 32).first == number)
        #expect(Self.names(.librabbitmq, "0.17.0", bits: 32).isEmpty)
    }

    @Test func `what the distribution's changelog names is mended`() {
        let log = "openssl (3.0.13-0ubuntu3.4) noble-security\n  * SECURITY UPDATE\n    - CVE-2024-6119\n"
        #expect(Self.names(.openssl, "3.0.13", log: log) == ["CVE-2024-13176"])
    }
}
#endif
