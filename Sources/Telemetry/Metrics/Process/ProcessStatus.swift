#if os(Linux)
    #if canImport(Glibc)
        import Glibc
    #elseif canImport(Musl)
        import Musl
    #endif

    /// What `/proc/self/stat` tells (proc_pid_stat(5)).
    struct ProcessStatus: Equatable {
        let threads: Int
        /// Since the system started, in ticks.
        let startTicks: UInt64
        let virtualBytes: UInt64
        let residentBytes: UInt64

        /// - Parameter text: the file's content.
        init?(_ text: String, pageSize: UInt64) {
            // The second field is the program's name, in parentheses, which may itself have spaces and parentheses.
            guard let end = text.lastIndex(of: ")") else { return nil }
            // Begins with the third field.
            let fields = text[text.index(after: end)...].split { $0 == " " || $0 == "\n" }
            guard fields.count >= 22, let threads = Int(fields[17]), let startTicks = UInt64(fields[19]),
                let virtualBytes = UInt64(fields[20]), let residentPages = UInt64(fields[21])
            else { return nil }
            self.threads = threads
            self.startTicks = startTicks
            self.virtualBytes = virtualBytes
            residentBytes = residentPages * pageSize
        }

        static func current() -> ProcessStatus? {
            let descriptor = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            defer { close(descriptor) }
            // The line has 52 numbers and a short name; the kernel gives it in one piece.
            let text = String(unsafeUninitializedCapacity: 2048) { buffer in max(0, read(descriptor, buffer.baseAddress, buffer.count)) }
            return ProcessStatus(text, pageSize: UInt64(sysconf(Int32(_SC_PAGESIZE))))
        }

        /// Seconds since 1970-01-01T00:00:00Z; the clock as it is now decides.
        var startTime: Double {
            func seconds(_ clock: clockid_t) -> Double {
                var time = timespec()
                clock_gettime(clock, &time)
                return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
            }
            let systemStart = seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME)
            // To the hundredth, which is all that ticks tell.
            return ((systemStart + Double(startTicks) / Double(sysconf(Int32(_SC_CLK_TCK)))) * 100).rounded() / 100
        }
    }
#endif
