namespace Fovea.Tests.Unit.Hub;

internal sealed class FakeUploads(FakeHub hub)
{
    public HubReply? Answer(HubRequest request) => hub.Repos.IsEmpty ? null : null;

    public HubReply? Store(HubRequest request) => null;
}
