using Microsoft.AspNetCore.Http;

namespace Fovea.AspNetCore.Http;

/// <summary>An error that the client is told, in OpenAI's terms.</summary>
internal sealed class ApiException(int status, string code, string message, string? param = null) : Exception(message)
{
    public int Status => status;

    public string Code => code;

    /// <summary>The field that it is about.</summary>
    public string? Param => param;

    public string Type => status switch
    {
        StatusCodes.Status401Unauthorized => "authentication_error",
        StatusCodes.Status429TooManyRequests => "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };

    /// <summary>What is asked is wrong.</summary>
    public static ApiException Invalid(string param, string problem) =>
        new(StatusCodes.Status400BadRequest, "invalid_value", $"{param}: {problem}", param);

    /// <summary>What is asked is right for OpenAI, but nothing here does it.</summary>
    public static ApiException Unsupported(string param, string? why = null) =>
        new(StatusCodes.Status400BadRequest, "unsupported_parameter", $"{param} is not supported{(why is null ? string.Empty : $": {why}")}", param);

    /// <summary>What the client is told of an exception; null where it is not its business.</summary>
    public static ApiException? Of(Exception e) => e switch
    {
        ApiException own => own,
        ContextLengthException => new(StatusCodes.Status400BadRequest, "context_length_exceeded", e.Message, "messages"),
        ServerBusyException { IsClosing: true } => new(StatusCodes.Status503ServiceUnavailable, "service_unavailable", e.Message),
        ServerBusyException => new(StatusCodes.Status429TooManyRequests, "rate_limit_exceeded", e.Message),
        ConfigException => new(StatusCodes.Status400BadRequest, "invalid_value", e.Message),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
            new(StatusCodes.Status413PayloadTooLarge, "request_too_large", "the body of the request is larger than the server takes"),
        BadHttpRequestException bad => new(bad.StatusCode, "invalid_request", "the request is malformed"),
        _ => null,
    };
}
