import CProcessGuard
import Glibc

/// The three pipes of a child, all close-on-exec, so that no other child inherits them.
struct ChildPipes: Sendable {
    struct Pipe: Sendable {
        var readEnd: Int32
        var writeEnd: Int32
    }

    let input: Pipe
    let output: Pipe
    let errorOutput: Pipe

    static func open() throws(ChildStartError) -> ChildPipes {
        var opened: [Pipe] = []
        for _ in 0..<3 {
            var descriptors: (Int32, Int32) = (-1, -1)
            let result = withUnsafeMutableBytes(of: &descriptors) { process_guard_pipe($0.bindMemory(to: Int32.self).baseAddress) }
            guard result == 0 else {
                for pipe in opened {
                    close(pipe.readEnd)
                    close(pipe.writeEnd)
                }
                throw .noPipe(problem: String(cString: strerror(-result)))
            }
            opened.append(Pipe(readEnd: descriptors.0, writeEnd: descriptors.1))
        }
        return ChildPipes(input: opened[0], output: opened[1], errorOutput: opened[2])
    }

    /// Closes the gateway's ends.
    func closeOwnEnds() {
        close(input.writeEnd)
        close(output.readEnd)
        close(errorOutput.readEnd)
    }
}
