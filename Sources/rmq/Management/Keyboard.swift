#if Tool
internal import Foundation

/// A terminal's keys, each of which is read as it is pressed, and not shown.
struct Keyboard {
    private let before: termios

    /// Takes the keys over; nil if there are none.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        before = settings
        // Ctrl-C stays a signal.
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Gives the keys back.
    func restore() {
        var settings = before
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Whether a q was pressed since it was last asked, once the keys are taken over.
    static var saysQuit: Bool {
        var isQuit = false
        var wish = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        while poll(&wish, 1, 0) > 0 {
            var key: UInt8 = 0
            guard read(STDIN_FILENO, &key, 1) == 1 else { return isQuit }
            isQuit = isQuit || key == UInt8(ascii: "q")
        }
        return isQuit
    }
}
#endif
