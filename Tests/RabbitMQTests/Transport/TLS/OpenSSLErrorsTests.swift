import CRabbitMQ
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import RabbitMQ

/// Leaves an error of a file that is not there in this thread's queue: two entries, of the system and of OpenSSL's.
func provokeError() { #expect(BIO_new_file("/nowhere/at/all", "r") == nil) }

/// Without a wait: the queue is the thread's.
@Suite("OpenSSL's errors")
struct OpenSSLErrorsTests {
    @Test func `are taken oldest first, and only once`() throws {
        OpenSSLErrors.clear()
        provokeError()
        let entries = OpenSSLErrors.take()
        try #require(entries.count == 2)
        #expect(entries[0].library == ERR_LIB_SYS)
        #expect(entries[0].reason == ENOENT)
        #expect(entries[1].isReason(BIO_R_NO_SUCH_FILE, of: ERR_LIB_BIO))
        #expect(!entries[1].isReason(BIO_R_NO_SUCH_FILE, of: ERR_LIB_PEM))
        #expect(OpenSSLErrors.take().isEmpty)
    }

    @Test func `are gone when they were cleared`() {
        provokeError()
        OpenSSLErrors.clear()
        #expect(OpenSSLErrors.take().isEmpty)
    }

    @Test func `have the system's words for what comes from the system`() {
        OpenSSLErrors.clear()
        provokeError()
        #expect(OpenSSLErrors.take().text == "No such file or directory, no such file")
    }

    @Test func `name each reason once`() {
        OpenSSLErrors.clear()
        for _ in 0..<3 { provokeError() }
        let entries = OpenSSLErrors.take()
        #expect(entries.count == 6)
        #expect(entries.text == "No such file or directory, no such file")
    }

    @Test func `have a number where OpenSSL has no words`() {
        let entry = OpenSSLErrors.Entry(code: 0x7F << 23 | 0x7F_FFFF)
        #expect(entry.text == "OpenSSL's error \(entry.code)")
    }

    @Test func `say that there is no reason where there is none`() {
        #expect([OpenSSLErrors.Entry]().text == "no reason is given")
    }

    @Test func `are those of the thread`() {
        OpenSSLErrors.clear()
        provokeError()
        let others = Mutex(-1)
        let isDone = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            others.withLock { $0 = OpenSSLErrors.take().count }
            isDone.signal()
        }
        isDone.wait()
        #expect(others.withLock { $0 } == 0)
        #expect(OpenSSLErrors.take().count == 2)
    }
}
