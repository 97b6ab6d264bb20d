#if Tool
import Testing

/// `Advisory.swift` and `BrokerAdvisory.swift` are links to the tool's, which tests can't import.
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

    // MARK: The broker's own

    private static func brokers(_ version: String) -> [String] {
        BrokerAdvisory.mattering(version: version).flatMap(\.names)
    }

    @Test func `each row of the broker's list is read, and names what was published`() {
        let rows = BrokerAdvisory.list.split(separator: "\n")
        #expect(rows.count >= 27 && BrokerAdvisory.all.count == rows.count)
        for advisory in BrokerAdvisory.all {
            let isPublished = advisory.names.allSatisfy { $0.hasPrefix("CVE-") || $0.hasPrefix("GHSA-") }
            #expect(!advisory.names.isEmpty && isPublished && !advisory.what.isEmpty, "\(advisory)")
        }
    }

    @Test func `a broker has those that its series has not mended`() {
        #expect(Self.brokers("3.10.8").contains("CVE-2023-46118"))
        #expect(!Self.brokers("3.10.8").contains("CVE-2022-31008"))
        #expect(Self.brokers("3.10.1").contains("CVE-2022-31008"))
        #expect(Self.brokers("3.11.23").contains("CVE-2023-46118"))
        #expect(!Self.brokers("3.11.24").contains("CVE-2023-46118"))
        // It began with what mended another one.
        #expect(Self.brokers("3.12.7").contains("CVE-2024-51988") && !Self.brokers("3.12.6").contains("CVE-2024-51988"))
        #expect(!Self.brokers("3.12.11").contains("CVE-2024-51988"))
        #expect(Self.brokers("3.13.7").contains("CVE-2025-30219") && !Self.brokers("3.13.8").contains("CVE-2025-30219"))
        #expect(Self.brokers("4.0.7").contains("CVE-2025-50200") && !Self.brokers("4.0.8").contains("CVE-2025-50200"))
        #expect(Self.brokers("4.2.9") == ["CVE-2026-67419", "CVE-2026-67421", "GHSA-3526-xvv4-q9mr"])
        for version in ["4.3.5", "4.4.0", "5.0.0"] { #expect(Self.brokers(version).isEmpty, "\(version)") }
    }

    @Test func `a version that is none has none, and one before a release counts as that release`() {
        for version in ["", "4", "of no version", "null"] { #expect(Self.brokers(version).isEmpty, "\(version)") }
        #expect(Self.brokers("4.2.0-rc.1") == Self.brokers("4.2.0"))
        #expect(Self.brokers("4.0.0+2") == Self.brokers("4.0.0"))
    }

    @Test func `series are out of support that are older than those with public corrections`() {
        for version in ["3.10.8", "3.13.7", "4.0.9", "4.1.8"] {
            #expect(BrokerAdvisory.isOutOfSupport(version: version), "\(version)")
        }
        for version in ["4.2.0", "4.3.5", "4.10.0", "5.0.0", ""] {
            #expect(!BrokerAdvisory.isOutOfSupport(version: version), "\(version)")
        }
    }
}
#endif
