% Sends scans from MATLAB to the bridge: for ScanImage, call send_scan from a user function on
% frameAcquired. Needs jeromq.jar (https://github.com/zeromq/jeromq) on the Java path. Not run yet.
% Wire version 2 (docs/wire.md); the bridge accepts scans of version 1 as well.
function send_scans(address)                     % send_scans('tcp://127.0.0.1:5710')
    javaaddpath('jeromq.jar');
    context = org.zeromq.ZContext();
    push = context.createSocket(org.zeromq.SocketType.PUSH);
    % over the network, with the 40 characters of each key (docs/keys.md):
    % push.setCurveServerKey(uint8(server_key)); push.setCurvePublicKey(uint8(public_key));
    % push.setCurveSecretKey(uint8(secret_key));
    push.connect(address);
    clock = tic;
    for scan = 0:299
        pause(1 / 30);
        send_scan(push, uint16(200 + randi(50, 256, 256)), scan, int64(toc(clock) * 1e9), 33333333);
    end
    context.close();
end

function send_scan(push, pixels, scan, end_ns, period_ns)
    sides = [number32(size(pixels, 1)), number32(size(pixels, 2))];
    data = typecast(reshape(pixels.', 1, []), 'uint8');      % row after row, little-endian
    bytes = [uint8(hex2dec('8b')), ...                     % a map of 11
        int('v', 2), text('kind'), text('scan'), text('source'), text('rig'), ...
        int('seq', scan), int('t_ns', end_ns), text('clock'), text('rig'), ...
        text('pixels_counts'), uint8(hex2dec('83')), text('dtype'), text('uint16'), ...
        text('shape'), uint8(hex2dec('92')), sides, ...
        text('data'), uint8(hex2dec('c6')), big(uint32(numel(data))), data, ...
        int('number', scan), int('plane', 0), ...
        int('t_start_ns', int64(end_ns) - int64(period_ns)), int('t_end_ns', end_ns)];
    push.send(typecast(bytes, 'int8'));                      % Java's bytes are signed
end

function b = text(s),      b = [uint8(160 + numel(s)), uint8(s)];                  end
function b = int(key, n),  b = [text(key), uint8(hex2dec('d3')), big(int64(n))];   end
function b = number32(n),  b = [uint8(hex2dec('ce')), big(uint32(n))];             end
function b = big(n),       b = fliplr(typecast(n, 'uint8'));                       end
