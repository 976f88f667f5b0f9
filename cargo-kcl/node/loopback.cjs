// Loaded before the emulator: every TCP listener of the process binds 127.0.0.1 instead of all interfaces.
const net = require('net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...options) {
  const [first, second] = options;
  if (first && typeof first === 'object' && 'port' in first) {
    options[0] = { ...first, host: '127.0.0.1' };
  } else if (typeof first === 'number' || /^\d+$/.test(first)) {
    const hasHost = second === undefined || typeof second === 'string';
    options.splice(1, hasHost ? 1 : 0, '127.0.0.1');
  }
  return listen.apply(this, options);
};
