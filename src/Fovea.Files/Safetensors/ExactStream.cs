namespace Fovea.Files.Safetensors;

/// <summary>Takes the bytes of one tensor and holds the source to the number it declared.</summary>
internal sealed class ExactStream(Stream inner, string path, TensorSource tensor) : Stream
{
    private readonly long expected = tensor.Bytes;
    private long written;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => expected;

    public override long Position
    {
        get => written;
        set => throw new NotSupportedException();
    }

    /// <summary>Runs the source and checks that everything came.</summary>
    public static void Fill(Stream stream, string path, TensorSource tensor)
    {
        using var exact = new ExactStream(stream, path, tensor);
        tensor.WriteTo(exact);
        if (exact.written != exact.expected)
        {
            throw FileProblem.InTensor(path, tensor.Name, $"its source gave {exact.written} bytes of the {exact.expected} declared");
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (buffer.Length > expected - written)
        {
            throw FileProblem.InTensor(path, tensor.Name, $"its source gives more than the {expected} bytes declared");
        }

        inner.Write(buffer);
        written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
