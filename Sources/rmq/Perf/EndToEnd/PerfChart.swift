#if Tool
internal import Foundation

/// What a run was like from second to second, as a picture.
struct PerfChart {
    let title: String
    let points: [Timeline.Point]

    private struct Spot {
        let x: Double
        let y: Double
    }

    private struct Line {
        let name: String
        let colour: String
        var spots: [Spot] = []
    }

    private static let width = 900.0
    private static let panelHeight = 220.0
    private static let left = 90.0
    private static let top = 50.0
    private static let gap = 60.0

    private var duration: Double { max(points.last?.seconds ?? 0, 0.001) }

    func svg() -> String {
        let height = Self.top + 2 * (Self.panelHeight + Self.gap)
        let size = "width=\"\(Self.text(Self.width))\" height=\"\(Self.text(height))\""
        return """
            <svg xmlns="http://www.w3.org/2000/svg" \(size) font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            <text x="\(Self.text(Self.left))" y="22" font-size="15">\(Self.escaped(title))</text>
            \(panel("messages a second", rates, top: Self.top))
            \(panel("latency, ms", latencies, top: Self.top + Self.panelHeight + Self.gap))
            </svg>

            """
    }

    /// A page with the chart and a text.
    func html(_ text: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <title>\(Self.escaped(title))</title>
        \(svg())<pre>\(Self.escaped(text))</pre>
        </html>

        """
    }

    private var rates: [Line] {
        var published = Line(name: "published", colour: "#1f77b4")
        var received = Line(name: "received", colour: "#d95f02")
        let widest = spans.max() ?? 0
        for (point, span) in zip(points, spans) where span > widest / 10 {
            // The rate of a moment, as the end of a run is one, says nothing.
            published.spots.append(Spot(x: point.seconds, y: Double(point.published) / span))
            received.spots.append(Spot(x: point.seconds, y: Double(point.received) / span))
        }
        return [published, received]
    }

    /// How long each point is.
    private var spans: [Double] {
        zip(points, [0] + points.map(\.seconds)).map { point, begin in max(point.seconds - begin, 0.001) }
    }

    private var latencies: [Line] {
        let known = points.filter { $0.received > 0 }
        return [
            Line(name: "median", colour: "#1b9e77", spots: known.map { Spot(x: $0.seconds, y: $0.p50Us / 1000) }),
            Line(name: "99 %", colour: "#7570b3", spots: known.map { Spot(x: $0.seconds, y: $0.p99Us / 1000) }),
        ]
    }

    /// A frame with scales, and the lines in it.
    private func panel(_ name: String, _ lines: [Line], top: Double) -> String {
        let most = Self.roundNumber(above: lines.flatMap(\.spots).map(\.y).max() ?? 0)
        let (left, right, bottom) = (Self.left, Self.width - 20, top + Self.panelHeight)
        func x(_ seconds: Double) -> String { Self.text(left + (right - left) * seconds / duration) }
        func y(_ value: Double) -> String { Self.text(bottom - Self.panelHeight * value / most) }
        var parts = ["<text x=\"\(Self.text(left))\" y=\"\(Self.text(top - 8))\">\(name)</text>"]
        for step in 0...4 {
            let (value, seconds) = (most * Double(step) / 4, duration * Double(step) / 4)
            parts.append(
                "<line x1=\"\(x(0))\" x2=\"\(x(duration))\" y1=\"\(y(value))\" y2=\"\(y(value))\" stroke=\"#ddd\"/>"
            )
            parts.append(
                "<text x=\"\(Self.text(left - 8))\" y=\"\(y(value))\" text-anchor=\"end\">\(Self.text(value))</text>"
            )
            parts.append(
                "<text x=\"\(x(seconds))\" y=\"\(Self.text(bottom + 16))\" text-anchor=\"middle\">"
                    + "\(Self.text(seconds)) s</text>"
            )
        }
        for (index, line) in lines.enumerated() {
            let places = line.spots.map { "\(x($0.x)),\(y($0.y))" }
            parts.append(
                "<polyline points=\"\(places.joined(separator: " "))\" fill=\"none\" stroke=\"\(line.colour)\" "
                    + "stroke-width=\"1.5\"/>"
            )
            // A line of one point would not be seen.
            if let only = line.spots.first, line.spots.count == 1 {
                parts.append("<circle cx=\"\(x(only.x))\" cy=\"\(y(only.y))\" r=\"3\" fill=\"\(line.colour)\"/>")
            }
            parts.append(
                "<text x=\"\(Self.text(right - 90 * Double(lines.count - 1 - index)))\" y=\"\(Self.text(top - 8))\" "
                    + "text-anchor=\"end\" fill=\"\(line.colour)\">\(line.name)</text>"
            )
        }
        return parts.joined(separator: "\n")
    }

    /// The end of a scale: 1, 2, 2.5 or 5 times a power of ten.
    private static func roundNumber(above value: Double) -> Double {
        guard value > 0 else { return 1 }
        let power = pow(10.0, floor(log10(value)))
        let factors: [Double] = [1, 2, 2.5, 5]
        return (factors.first { $0 * power >= value } ?? 10) * power
    }

    private static func text(_ number: Double) -> String {
        abs(number) >= 100 ? String(format: "%.0f", number) : String(format: "%.3g", number)
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}

extension PerfReport {
    /// Writes the chart of a run into a file, whose name says as what.
    func draw(to path: String) throws {
        let chart = PerfChart(title: "rmq perf \(mode)", points: endToEnd?.points ?? [])
        let text = path.hasSuffix(".html") ? chart.html(table()) : chart.svg()
        do {
            try Data(text.utf8).write(to: URL(filePath: path))
        } catch {
            throw ToolError("\(path) can't be written: \(error.localizedDescription)")
        }
    }
}
#endif
