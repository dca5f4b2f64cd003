using Microsoft.AspNetCore.Http;

namespace Fovea.AspNetCore.Http;

/// <summary>How many bytes of bodies are worked on at once: many that are allowed by themselves are too many together.</summary>
internal sealed class BodyBudget(long most)
{
    private long taken;

    /// <exception cref="ApiException">There is no room now.</exception>
    public IDisposable Take(long bytes)
    {
        if (Interlocked.Add(ref taken, bytes) <= most)
        {
            return new Share(this, bytes);
        }

        Interlocked.Add(ref taken, -bytes);
        throw new ApiException(
            StatusCodes.Status429TooManyRequests, "rate_limit_exceeded", "requests of many bytes are being worked on: try again later");
    }

    private sealed class Share(BodyBudget budget, long bytes) : IDisposable
    {
        private int given;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref given, 1) == 0)
            {
                Interlocked.Add(ref budget.taken, -bytes);
            }
        }
    }
}
