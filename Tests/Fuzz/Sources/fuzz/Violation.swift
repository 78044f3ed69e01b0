import Foundation
import NIOCore

/// Ends the process, which libFuzzer reports with the input, unless `condition` holds.
func require(
    _ condition: @autoclosure () -> Bool, _ promise: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    guard condition() else { violated(promise(), file: file, line: line) }
}

/// Ends the process, which libFuzzer reports with the input.
func violated(_ promise: String, file: StaticString = #fileID, line: UInt = #line) -> Never {
    complain("violated: \(promise) (\(file):\(line))")
    abort()
}

func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

extension ByteBuffer {
    /// The input inside other bytes, as a message lies in what was read from a socket: whoever forgets the reader index or reads past the end
    /// sees brackets and quotes that are not the input's.
    init(embedding input: UnsafeRawBufferPointer) {
        self.init(string: "[{\"")
        writeBytes(input)
        writeString("\"}]")
        moveReaderIndex(forwardBy: 3)
        moveWriterIndex(to: writerIndex - 3)
    }

    /// For messages about it.
    var quoted: String { String(buffer: self).debugDescription }
}
