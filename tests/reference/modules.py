"""The reference networks made of PyTorch's own modules, for one precision at a time: that their parameters have the names
of the library's is part of what is compared.

Each entry of MODULES: the module, which takes the batch and gives the objective of training mode, and a function that
draws a batch.
"""
import torch
import torch.nn.functional as F
from torch import nn

from networks import normals


def observed(y):
    return (y + y ** 2 / 2).flatten(1).mean(1).mean()


class Windows(nn.Module):
    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2)
        self.slopes = nn.PReLU(6)
        self.up = nn.ConvTranspose2d(6, 3, 3, stride=2, padding=1, output_padding=1)
        self.line = nn.Conv1d(4, 6, 3, padding=2, dilation=2, groups=2, bias=False)
        self.long = nn.ConvTranspose1d(6, 2, 4, stride=3, padding=1, dilation=2, output_padding=1)
        self.solid = nn.Conv3d(2, 4, 2, padding=1, groups=2)

    def forward(self, d):
        a = self.up(self.slopes(self.grouped(d["x"])))
        b = self.long(F.max_pool1d(self.line(d["s"]), 3, 2, 1))
        c = self.solid(d["v"])
        flat = [F.max_pool2d(a, 3, 2, 1), F.avg_pool2d(a, 2, padding=1), F.adaptive_avg_pool2d(a, (3, 4)),
                F.adaptive_max_pool2d(a, (4, 3)), a.amax((2, 3))]
        line = [F.adaptive_avg_pool1d(b, 7), F.avg_pool1d(b, 3, 2, 1)]
        deep = [F.max_pool3d(c, 2, padding=1), F.avg_pool3d(c, 2, stride=1, padding=1)]
        return sum(map(observed, flat + line + deep))


class Place(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(*shape))

    def forward(self, x):
        return x + self.weight


class Gate(nn.Module):
    def __init__(self, n, hidden):
        super().__init__()
        self.w1 = nn.Linear(n, hidden, bias=False)
        self.w2 = nn.Linear(hidden, n, bias=False)
        self.w3 = nn.Linear(n, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


def sinusoids(t, d, dtype):
    angle = torch.arange(t, dtype=dtype)[:, None] / 10000 ** (torch.arange(0, d, 2, dtype=dtype) / d)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def rotated(x):
    """Neighbouring pairs of the last dimension of [batch, heads, t, d], as complex numbers, turned."""
    t, d = x.shape[-2:]
    angle = torch.arange(t, dtype=x.dtype)[:, None] / 10000 ** (torch.arange(0, d, 2, dtype=x.dtype) / d)
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], d // 2, 2).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = Place(6, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, dropout=0, activation="gelu", batch_first=True, norm_first=True)
        self.cross = nn.MultiheadAttention(8, 4, batch_first=True)
        self.turned = nn.MultiheadAttention(8, 2, batch_first=True)
        self.table = nn.Embedding(9, 8)
        self.gate = Gate(8, 10)
        self.pair = nn.Bilinear(8, 8, 3)

    def turn(self, x):
        m = self.turned
        q, k, v = (z.unflatten(-1, (2, 4)).transpose(1, 2)
                   for z in F.linear(x, m.in_proj_weight, m.in_proj_bias).chunk(3, -1))
        y = F.scaled_dot_product_attention(rotated(q), rotated(k), v)
        return m.out_proj(y.transpose(1, 2).flatten(2))

    def forward(self, d):
        x = d["x"]
        mask = nn.Transformer.generate_square_subsequent_mask(6, dtype=x.dtype)
        a = self.block(self.place(x + sinusoids(6, 8, x.dtype)), src_mask=mask, is_causal=True)
        c = self.turn(self.cross(a, d["m"], d["m"], need_weights=False)[0])
        return observed(c) + observed(self.pair(self.gate(self.table(d["y"])), c[:, 0]))


class Downsample(nn.Module):
    def __init__(self, c, filters, stride):
        super().__init__()
        self.conv = nn.Conv2d(c, filters, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x):
        return self.norm(self.conv(x))


class Basic(nn.Module):
    def __init__(self, c, filters, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = nn.Identity() if stride == 1 and c == filters else Downsample(c, filters, stride)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    def __init__(self, c, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Identity() if stride == 1 and c == 4 * width else Downsample(c, 4 * width, stride)

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = Basic(4, 4), Basic(4, 6, 2)
        self.three, self.four = Bottleneck(6, 2), Bottleneck(8, 2)

    def forward(self, d):
        z = F.pixel_shuffle(self.four(self.three(self.two(self.one(d["x"])))), 2)
        return observed(torch.cat([z, F.glu(torch.cat([z, z], -1))], 1))


class Losses(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 10)

    def forward(self, d):
        t, u, y = d["t"], d["u"], d["y"]
        line = self.fc(d["x"])
        z, w = line.chunk(2, 1)
        p = z.log_softmax(1)
        likely = F.cross_entropy(z, y, reduction="none")
        of_class = (F.nll_loss(p, y) + F.cross_entropy(z, y, label_smoothing=0.2)
                    + ((1 - torch.exp(-likely)) ** 2 * likely).mean() + F.multi_margin_loss(z, y))
        prior = torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
        here = torch.distributions.Normal(z, (w / 2).exp())
        of_target = (F.cross_entropy(z, t.softmax(1)) + F.kl_div(p, t.softmax(1), reduction="batchmean")
                     + F.huber_loss(3 * z, t) + F.relu(1 - t * z).mean() + F.poisson_nll_loss(z, t)
                     + F.gaussian_nll_loss(z, t, w.exp(), eps=1e-30)
                     + torch.distributions.kl_divergence(here, prior).sum(1).mean() + (z - t).cosh().log().mean())
        near, far = (z - t).norm(dim=1), (z - u).norm(dim=1)
        similar = F.normalize(z, dim=1) @ F.normalize(t, dim=1).T / 0.1
        of_pair = (F.relu(near - far + 1).mean() + (0.3 * near ** 2 + 0.7 * F.relu(4 - near) ** 2).mean()
                   + F.cosine_similarity(z, u).mean() + F.cross_entropy(similar, torch.arange(len(z))))
        curves = (F.relu6(4 * z) + F.selu(z) + F.celu(z, 0.5) + F.mish(z) + (z / 2 + 0.5).clamp(0, 1) + F.hardswish(3 * z)
                  + F.hardtanh(z) + F.softsign(z) + F.logsigmoid(z) + F.glu(line))
        return of_class + of_target + of_pair + curves.mean()


MODULES = {
    "windows": (Windows, lambda r: normals(r, x=(3, 4, 7, 9), s=(3, 4, 11), v=(3, 2, 4, 5, 3))),
    "sequences": (Sequences, lambda r: normals(r, x=(3, 6, 8), m=(3, 5, 8)) | dict(y=r.integers(0, 9, 3))),
    "blocks": (Blocks, lambda r: normals(r, x=(5, 4, 8, 8))),
    "losses": (Losses, lambda r: normals(r, x=(6, 4), t=(6, 5), u=(6, 5)) | dict(y=r.integers(0, 5, 6))),
}


def loss_and_gradients(module, params, batch, dtype):
    """Of a module with these parameters; whole numbers among the batch stay whole."""
    cast = lambda v: torch.tensor(v, dtype=dtype) if v.dtype.kind == "f" else torch.tensor(v)
    module = module.to(dtype)
    missing, unexpected = module.load_state_dict({k: cast(v) for k, v in params.items()}, strict=False)
    assert not unexpected and all("running" in k or "num_batches" in k for k in missing)
    module.zero_grad()
    loss = module({k: cast(v) for k, v in batch.items()})
    loss.backward()
    return {"loss": loss.detach().numpy()} | {"grad." + k: p.grad.numpy().copy() for k, p in module.named_parameters()}


def shapes(module):
    return {k: tuple(p.shape) for k, p in module.named_parameters()}
