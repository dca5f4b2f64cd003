using Fovea.Tensors;

namespace Fovea.Nn;

/// <summary>
/// Inputs of blocks that wait in the host's memory for the backward pass. Copies run on a stream of their own: an input leaves while its block computes, and
/// comes back while the block behind it runs backward. On the CPU, where nothing is elsewhere, the same copies are made at once.
/// </summary>
/// <remarks>
/// Memory of the device is taken and given back on the computing stream alone, after it has waited for the copy: freeing it by the copying stream's time
/// (<see cref="DeviceStream.Keeps"/>) would let the host, which runs ahead, allocate anew for every block.
/// </remarks>
internal sealed class HostInputs(Device device)
{
    private readonly DeviceStream copies = DeviceStream.New(device);
    private readonly List<HostInput> waiting = []; // in the order of the forward pass

    /// <summary>Bytes in the host's memory now.</summary>
    public long Bytes { get; private set; }

    /// <summary>The most there ever were.</summary>
    public long MostBytes { get; private set; }

    /// <summary>Starts moving an input to the host's memory. Until the next one comes, or backward does, it is on the device as well.</summary>
    public IKeptInput Keep(Tensor x)
    {
        var compute = DeviceStream.Current(device);
        if (waiting.Count > 0)
        {
            waiting[^1].Leave(compute, copies);
        }

        using var grad = Autograd.NoGrad();
        using var scope = TensorScope.Open("host input");
        var here = x.Detach().Keep();
        var host = CreateOps.Staging(here.Shape, here.DType, device).Keep();
        copies.After(compute);
        Copy(compute, host, here);
        var input = new HostInput(this, here, host);
        waiting.Add(input);
        Bytes += input.Bytes;
        MostBytes = Math.Max(MostBytes, Bytes);
        return input;
    }

    /// <summary>Where blocks compute.</summary>
    private Device Device => device;

    private void Copy(DeviceStream compute, Tensor to, Tensor from)
    {
        copies.Use();
        try
        {
            to.Fetch_(from);
        }
        finally
        {
            compute.Use();
        }
    }

    private sealed class HostInput(HostInputs all, Tensor here, Tensor host) : IKeptInput
    {
        private readonly Tensor host = host;
        private Tensor? here = here; // on the device: on its way out or back

        public long Bytes { get; } = host.Count * host.DType.Size();

        /// <summary>Gives its memory on the device to what the computing stream does after the copy has ended.</summary>
        public void Leave(DeviceStream compute, DeviceStream copies)
        {
            if (here is not null)
            {
                compute.After(copies);
                here.Dispose();
                here = null;
            }
        }

        public Tensor Take()
        {
            var compute = DeviceStream.Current(all.Device);
            using var back = Return(compute);
            compute.After(all.copies);
            here = null;
            var place = all.waiting.IndexOf(this);
            Dispose();

            // What backward comes to next is on its way while this block computes.
            if (place > 0)
            {
                all.waiting[place - 1].Return(compute);
            }

            return back.Detach();
        }

        public void Dispose()
        {
            here?.Dispose();
            here = null;
            host.Dispose();
            if (all.waiting.Remove(this))
            {
                all.Bytes -= Bytes;
            }
        }

        private Tensor Return(DeviceStream compute)
        {
            if (here is null)
            {
                using var grad = Autograd.NoGrad();
                here = CreateOps.Empty(host.Shape, host.DType, all.Device).Keep();
                all.copies.After(compute);
                all.Copy(compute, here, host);
            }

            return here;
        }
    }
}
