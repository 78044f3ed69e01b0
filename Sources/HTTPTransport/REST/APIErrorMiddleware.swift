import Hummingbird
import Logging

/// Makes every error of the router one of the REST API.
struct APIErrorMiddleware<Context: RequestContext>: RouterMiddleware {
    let logger: Logger

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            throw error
        } catch let error as HTTPError {
            throw APIError(status: error.status, code: Self.code(of: error.status), message: error.body ?? error.status.reasonPhrase)
        } catch is CancellationError {
            throw APIError(
                status: .serviceUnavailable, code: "unavailable", message: "the gateway is shutting down; try again", retryAfter: 1)
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            throw APIError(status: .internalServerError, code: "internal_error", message: "the gateway failed; its log says why")
        }
    }

    private static func code(of status: HTTPResponse.Status) -> String {
        switch status {
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .contentTooLarge: "too_large"
        default: "bad_request"
        }
    }
}
